"""What is fuzzed: each target reads bytes of a stranger, and says what came of it.

A target returns "accepted" or the code of the first thing that was wrong. It raises AssertionError where something was
accepted that an independent reader of Python's takes otherwise; any other exception is a fault by itself.
"""

from __future__ import annotations

import io
import json
import math
import os
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from agentics.archive.envelope import SOLUTION as SOLUTION_ZIP
from agentics.archive.envelope import inspect, read
from agentics.errors import AgenticsError, InvalidDocument
from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.evaluator_result import Result
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.document.formats import Format, value_of
from agentics.model.document.formats import read as read_formatted
from agentics.model.document.json_text import MAX_DEPTH, scan
from agentics.model.document.parsing import Loaded, Rule, load
from agentics.model.document.size_caps import MANIFEST
from agentics.model.job.jobspec import JobSpec
from agentics.model.job.judge_template import JudgeTemplate
from agentics.model.job.plugin import RULES as PLUGIN_RULES
from agentics.model.job.plugin import PluginManifest
from agentics.model.job.suite import RULES as SUITE_RULES
from agentics.model.job.suite import Suite
from agentics.model.run.benchmark import AdapterManifest, PredictionRecord, ScoreRecord
from agentics.model.run.event import EVENT
from agentics.model.run.experiment import ResolvedExperiment
from agentics.model.run.experiment_file import RULES as EXPERIMENT_RULES
from agentics.model.run.experiment_file import ExperimentFile
from agentics.policy.bundle.checks import RULES as CHALLENGE_RULES
from agentics.policy.bundle.manifests import check_run_manifest, check_session_manifest
from agentics.policy.bundle.proposals import read_proposal
from agentics.policy.hooks import Heard, listen
from agentics.policy.run.experiments import RULES as RESOLVED_RULES
from agentics.sandbox.collect import Caps, collect

ACCEPTED = "accepted"
Target = Callable[[bytes], str]
_COLLECTED = Caps(files=20, dirs=12, depth=5, bytes=4096)
_NAMES = (b"a", b"b", b"stdout.txt", b"\xff\xfe", b"a\nb", b"..x", b"-rf", b"x" * 255)


def _whole(literal: str) -> int | float:
    value = int(literal) if len(literal) < 400 else math.inf
    return value if -(2**63) <= value < 2**64 and literal != "-0" else _fraction(literal)


def _fraction(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(literal)
    return value


def _no_constant(literal: str) -> float:
    raise ValueError(literal)


def _encodable(value: Any) -> Any:
    """The value, where no text in it has a surrogate without its other half. Raises ValueError."""
    json.dumps(value, ensure_ascii=False).encode()
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The last value of a key counts; those before it are read as well."""
    return dict(_encodable(pairs))


def _second_reading(text: str) -> Any:
    """Python's own reader, as strict as it can be made. Raises ValueError."""
    reading = {"parse_int": _whole, "parse_float": _fraction, "parse_constant": _no_constant}
    return _encodable(json.loads(text, object_pairs_hook=_object, **reading))


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types: 1, 1.0 and true are not the same, nor are 0.0 and -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


def json_text(data: bytes) -> str:
    """The reader of JSON takes what Python's takes, and reads the same from it."""
    found = scan(data, MANIFEST)
    try:
        expected = _second_reading(data.decode())
    except (ValueError, RecursionError):
        assert not found.complete or found.problems, "accepted what Python refuses"
        return found.problems[0].code
    if found.complete and not found.problems:
        assert same(found.value, expected), "read otherwise than Python"
        return ACCEPTED
    codes = {problem.code for problem in found.problems}
    assert codes == {"too_deep"}, f"refused what Python takes: {codes}"
    assert data.count(b"[") + data.count(b"{") > MAX_DEPTH
    return "too_deep"


def archive(data: bytes) -> str:
    """The reader of ZIPs: what it takes has the names, sizes and contents that Python's finds in it."""
    file = io.BytesIO(data)
    try:
        inventory = inspect(file, "a.zip", SOLUTION_ZIP)
        contents = {m.path: read(file, "a.zip", m) for m in inventory.members if not m.directory}
    except InvalidDocument as error:
        return _first(error)
    assert len(inventory.members) <= SOLUTION_ZIP.entries
    # What an entry that is a directory holds counts as well, and is not unpacked.
    assert sum(map(len, contents.values())) <= inventory.expanded <= SOLUTION_ZIP.expanded
    assert all(_is_below(member.path) for member in inventory.members)
    _compare(data, contents)
    return ACCEPTED


def _compare(data: bytes, contents: Mapping[str, bytes]) -> None:
    """Names may be written in another way: Python knows no Unicode names in extra fields. Contents may not."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as other:
            theirs = sorted(other.read(info) for info in other.infolist() if not info.is_dir())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, IndexError):
        # Python compares the names of the two headers, ends a name at a NUL and takes no empty one, and gives up at
        # versions that it does not know.
        return
    assert theirs == sorted(contents.values()), "other contents than Python finds"


def _is_below(path: str) -> bool:
    return bool(path) and all(part not in ("", ".", "..") for part in path.split("/")) and "\0" not in path


def _first(error: AgenticsError) -> str:
    findings = getattr(error, "findings", ())
    assert error.message
    return str(findings[0].code) if findings else error.code


def _judged(loaded: Loaded[Any], data: bytes) -> str:
    for finding in loaded.findings:
        assert finding.code
        assert finding.message
        assert min(finding.line, finding.column) >= 1
    if loaded.value is None:
        assert any(finding.severity == "error" for finding in loaded.findings)
        return loaded.findings[0].code
    text = data.decode()
    json.loads(text, parse_int=float)  # raises ValueError for what is no JSON
    _stable(loaded.value)
    return ACCEPTED


def _stable(value: BaseModel) -> None:
    """A document that was accepted is accepted again as it is written, and is the same then."""
    model, written = type(value), value.model_dump_json(by_alias=True, exclude_unset=True).encode()
    again = load(model, written, "again")
    assert again.value == value, f"another {model.__name__} when it is read back"


def _document(model: type[BaseModel], rules: tuple[Rule[Any], ...] = ()) -> Target:
    return lambda data: _judged(load(model, data, "f.json", rules), data)


def _formatted(model: type[BaseModel], kind: Format, rules: tuple[Rule[Any], ...] = ()) -> Target:
    """A document in YAML or TOML, and the look at its value before the model is chosen."""

    def target(data: bytes) -> str:
        try:
            value = value_of(data, kind, f"f.{kind}", ExperimentFile.cap)
            if value is not None or kind != "json":
                other = tomllib.loads(data.decode()) if kind == "toml" else yaml.safe_load(data.decode())
                assert json.loads(json.dumps(value)) == json.loads(json.dumps(other)), "read otherwise"
            _stable(read_formatted(model, data, kind, f"f.{kind}", rules))
        except InvalidDocument as error:
            return _first(error)
        return ACCEPTED

    return target


def events(data: bytes) -> str:
    """The events of a solution: heard in pieces or at once, it is the same; and lines of a run's own events."""
    heard = listen(data, Heard())
    pieces = Heard()
    for end in range(0, len(data) + 1, max(1, len(data) // 5)):
        pieces = listen(data[:end], pieces)
    assert listen(data, pieces) == heard, "the events depend on when they are read"
    assert heard.offset == data.rfind(b"\n") + 1
    for line in data.splitlines():
        try:
            EVENT.validate_json(line)
        except ValueError:
            continue
        json.loads(line)
    return ACCEPTED if heard.acks else f"refused {min(heard.refused, 3)}"


def collector(data: bytes) -> str:
    """A tree that the bytes describe, taken by the collector: all of it as it is, or nothing."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("FUZZ_TEMP")) as base:
        left, taken = Path(base, "left"), Path(base, "taken")
        left.mkdir()
        _grown(os.fsencode(left), data)
        found = collect(left, taken, _COLLECTED)
        copies = {str(path.relative_to(taken)): path for path in taken.rglob("*") if not path.is_dir()}
        if found.violation is not None:
            assert not [*taken.iterdir(), *found.files]
            return found.violation.kind
        assert copies.keys() == {file.path for file in found.files}
        assert all(path.is_file() and not path.is_symlink() for path in copies.values())
        assert all(path.read_bytes() == (left / name).read_bytes() for name, path in copies.items())
        assert len(copies) <= _COLLECTED.files
        assert sum(file.size for file in found.files) <= _COLLECTED.bytes
        return ACCEPTED


def _grown(root: bytes, data: bytes) -> None:
    """One entry for each pair of bytes: what it is, and where below the last directory."""
    here, last = root, root
    for kind, name in zip(data[:128:2], data[1:128:2], strict=False):
        path = os.path.join(here, _NAMES[name % len(_NAMES)])  # noqa: PTH118  names that are not UTF-8
        try:
            _made(kind % 8, path, last, name)
        except OSError:
            continue
        last = path
        if kind % 8 == 0:
            here = path if kind < 128 else root


def _made(kind: int, path: bytes, last: bytes, size: int) -> None:
    match kind:
        case 0:
            os.mkdir(path)  # noqa: PTH102
        case 1:
            os.symlink(last, path)  # noqa: PTH211
        case 2:
            os.mkfifo(path)
        case 3:
            os.link(last, path, follow_symlinks=False)
        case _:
            with open(path, "xb") as file:  # noqa: PTH123
                file.write(b"x" * size)
                file.truncate(size * (1000 if kind == 7 else 1))


def _proposal(data: bytes) -> str:
    return _judged(read_proposal(data, "agentics.challenge.json"), data)


def _runs(data: bytes) -> str:
    return _judged(check_run_manifest(data, "runs.json"), data)


def _session(data: bytes) -> str:
    return _judged(check_session_manifest(data, "session.json"), data)


DOCUMENTS: Mapping[str, Target] = {
    "spec": _document(Challenge, CHALLENGE_RULES),
    "proposal": _proposal,
    "solution": _document(SolutionManifest),
    "runs": _runs,
    "session": _session,
    "result": _document(Result),
    "jobspec": _document(JobSpec),
    "plugin": _document(PluginManifest, PLUGIN_RULES),
    "template": _document(JudgeTemplate),
    "suite": _document(Suite, SUITE_RULES),
    "suite.yaml": _formatted(Suite, "yaml", SUITE_RULES),
    "suite.toml": _formatted(Suite, "toml", SUITE_RULES),
    "experiment": _document(ExperimentFile, EXPERIMENT_RULES),
    "experiment.yaml": _formatted(ExperimentFile, "yaml", EXPERIMENT_RULES),
    "experiment.toml": _formatted(ExperimentFile, "toml", EXPERIMENT_RULES),
    "resolved": _document(ResolvedExperiment, RESOLVED_RULES),
    "adapter": _document(AdapterManifest),
    "prediction": _document(PredictionRecord),
    "score": _document(ScoreRecord),
}
_NAMED = tuple(DOCUMENTS)


def manifests(data: bytes) -> str:
    """Any of the documents: the first byte says which."""
    name = _NAMED[data[0] % len(_NAMED)] if data else _NAMED[0]
    return DOCUMENTS[name](data[1:])


TARGETS: Mapping[str, Target] = {
    "json": json_text,
    "zip": archive,
    "manifests": manifests,
    "events": events,
    "collector": collector,
}
