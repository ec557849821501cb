"""A job's metrics as a TensorBoard event file: a scalar for each metric of each task, at step 0."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory


def event_file(results: Mapping[str, Mapping[str, float]], ended_at: str) -> bytes:
    """`results`: metrics by task, as in a results file; a tag is `<task>/<metric>`. `ended_at`: RFC 3339, the time of
    every event. The same results give the same bytes. Raises ImportError where tensorboardX is not installed."""
    from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415 - an extra, and heavy
    from tensorboardX.proto.summary_pb2 import Summary  # noqa: PLC0415
    from tensorboardX.record_writer import RecordWriter  # noqa: PLC0415

    seconds = datetime.fromisoformat(ended_at).timestamp()
    # Summaries are made here: the package's own writer replaces the `|` of a task's name, and names this machine.
    events = [Event(wall_time=seconds, file_version="brain.Event:2")]
    for task, metrics in results.items():
        values = [Summary.Value(tag=f"{task}/{name}", simple_value=value) for name, value in metrics.items()]
        events += [Event(wall_time=seconds, step=0, summary=Summary(value=[value])) for value in values]
    with TemporaryDirectory() as folder:
        path = Path(folder, "events")
        writer = RecordWriter(str(path))
        for event in events:
            writer.write(event.SerializeToString())
        writer.close()
        return path.read_bytes()
