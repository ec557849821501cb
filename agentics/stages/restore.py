"""Files into the evidence and out of it again: a finished case is shown to the evaluator without being run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from agentics.archive.tree import file_mode
from agentics.errors import StorageError
from agentics.model.bundle.manifest import RunEntry
from agentics.model.evidence.trial_evidence import CaseRecord, Checkpoint, OutputFile
from agentics.model.plan.trial_plan import RunCases
from agentics.pipeline.attempt_tools import AttemptTools, EvidenceStore
from agentics.sandbox.collect import CollectedFile
from agentics.stages.evaluator_view import inputs_of, show, show_nothing

_CHUNK = 1 << 20


def restore(tools: AttemptTools, wanted: RunCases, run: RunEntry, earlier: CaseRecord) -> CaseRecord:
    """Show what the evaluator saw of the case when it ran. Raises StorageError when its evidence is not whole."""
    seen = tools.paths["solution_runs"] / run.run_name
    show_nothing(seen)
    for folder in earlier.folders:
        (seen / folder).mkdir(parents=True, exist_ok=True)
    take_out(tools.keep, earlier.files, seen)
    case = earlier.model_copy(update={"restored": True})
    show(seen, case, run, inputs_of(tools, wanted, run))
    return case


def is_whole(keep: EvidenceStore, kept: CaseRecord | Checkpoint) -> bool:
    """Whether everything that was left is kept and there: a case may have left too much, and an attempt that was killed
    may not have come to keep it."""
    if isinstance(kept, CaseRecord) and kept.listing is not None:
        return False
    return all(keep.path(ref).is_file() for ref in kept.refs)


def keep_file(keep: EvidenceStore, root: Path, file: CollectedFile) -> OutputFile:
    """Keep by content a file that was collected to `root`."""
    return OutputFile(
        path=file.path, size_bytes=file.size, ref=keep.put_file(root / file.path), executable=file.executable
    )


def take_out(keep: EvidenceStore, files: Sequence[OutputFile], dest: Path) -> None:
    """Write files by their references below `dest`. Raises StorageError when one is missing or damaged."""
    for file in files:
        target = dest / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = _copy(keep.path(file.ref), target)
        if not file.ref.endswith(digest):
            msg = f"{file.ref}: the content is not what its name says"
            raise StorageError(msg, code="artifact_damaged")
        target.chmod(file_mode(executable=file.executable))


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    try:
        with source.open("rb") as kept, target.open("xb") as out:
            while chunk := kept.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except FileNotFoundError as error:
        msg = f"{source.parent.name}: the artifact is missing"
        raise StorageError(msg, code="artifact_missing") from error
    return digest.hexdigest()
