"""Writes what a run has measured into files: one for each output of the experiment and each of its formats."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from agentics.model.document.record import Record
from agentics.model.plan.pipeline import OutputSpec
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.rundir.files.atomic import make_directory, write_bytes
from agentics.rundir.files.safe_files import real

name = "report"
EXTENSIONS = {"markdown": "md", "json": "json"}


class ReportOptions(Record):
    """`outputs`: names of the experiment's outputs, all if none is named. `directory`: where the files go."""

    outputs: tuple[str, ...] = ()
    directory: Path = Path("reports")


describe = described(name, "Writes the metrics of a run into files, an artifact for each.", ReportOptions)


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    wanted = ReportOptions.model_validate(options)
    known = {output.name: output for output in context.experiment.outputs}
    unknown = [each for each in wanted.outputs if each not in known]
    if unknown:
        return context.fail(name, "unknown_output", f"the experiment has no output {unknown[0]!r}", fault="user")
    chosen = [known[each] for each in wanted.outputs] or list(known.values())
    for output in chosen:
        unsupported = [each for each in output.formats if each not in EXTENSIONS]
        if unsupported or output.sink != "file":
            what = f"format {unsupported[0]}" if unsupported else f"sink {output.sink}"
            return context.fail(name, "unsupported_format", f"{output.name}: {what} is not supported", fault="user")
    files = [
        (output, each, _place(context, output, each)) for output in chosen for each in dict.fromkeys(output.formats)
    ]
    if len({place for *_, place in files}) < len(files):
        return context.fail(name, "output_collision", "two outputs would be the same file", fault="user")
    directory = real(wanted.directory)
    make_directory(directory)
    content = _content(context)
    for output, each, place in files:
        path = directory / place
        text = json.dumps(content, indent=2, ensure_ascii=False) if each == "json" else _markdown(content)
        write_bytes(path, f"{text}\n".encode())
        context = context.put_artifact(f"{output.name}.{each}", {"format": each, "location": str(path)})
    return context


def _place(context: Context, output: OutputSpec, each: str) -> str:
    parts = (re.sub(r"[^\w.]+", "_", part) for part in (context.experiment_id, context.run_id, output.name))
    return f"{'-'.join(parts)}.{EXTENSIONS[each]}"


def _content(context: Context) -> dict[str, Any]:
    return {
        "experiment": context.experiment_id,
        "run": context.run_id,
        "metrics": to_jsonable_python(dict(context.metrics), fallback=repr, inf_nan_mode="null"),
        "completed_stages": list(context.completed_stages),
    }


def _markdown(content: Mapping[str, Any]) -> str:
    rows = [f"| {_cell(key)} | {_cell(json.dumps(value))} |" for key, value in content["metrics"].items()]
    experiment, run = _cell(content["experiment"]), _cell(content["run"])
    head = [f"# {experiment}", "", f"Run {run}", "", "| metric | value |", "| --- | --- |"]
    return "\n".join([*head, *rows])


def _cell(text: str) -> str:
    """A text as Markdown that shows it: no markup, HTML, link or second line comes of it."""
    return re.sub(r"([\\`*_\[\]<>#!|~&])", r"\\\1", " ".join(text.split()))
