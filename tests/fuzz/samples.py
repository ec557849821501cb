"""Documents to begin with: those that the repository ships, by the target that reads them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NAMES = {
    "spec.json": "spec",
    "agentics.challenge.json": "proposal",
    "agentics.solution.json": "solution",
    "agentics-runs.json": "runs",
    "plugin.json": "plugin",
    "agentics.plugin.json": "plugin",
}
_FOLDERS = {"templates": "template", "shipped_suites": "suite"}
_RESULT = {
    "status": "passed",
    "mode": "official",
    "aggregate_metrics": [{"metric_name": "score", "value": 0.5}],
    "run_metrics": [{"run_name": "a", "metrics": [{"metric_name": "score", "value": 1}]}],
    "public_results": [{"case_name": "a", "status": "failed", "score": 0, "message": "no"}],
    "official_summary": {"score": 0.5, "passed": 1, "total": 2},
    "logs": ["a line"],
}
_EXPERIMENT = b"""name: example
mode: official
tasks: [{bundle: bundles/a, target: linux-amd64-cpu, overlays: [o.zip]}, bundles/b]
variants: [{name: x, solution: s, bindings: {k: 1}}, {solution: t.zip}]
baseline: x
replications: 3
seed: 7
images: {a: b}
benchmark: {adapter: {command: [./adapter, "1"], timeout_s: 5}, policy: {}}
"""
_SUITE = b"schema_version: 1\nname: s\nversion: '1'\naggregation: mean\ntasks:\n- {id: a, primary_metric: m}\n"
_SUITE_TOML = b"schema_version = 1\nname = 's'\nversion = '1'\nprimary_metric = 'm'\n[[tasks]]\nid = 'a'\nfewshot = 2\n"
_EXPERIMENT_TOML = b"name = 'e'\ntasks = ['bundles/a']\n[[variants]]\nname = 'x'\nsolution = 's'\n"
_IDS = {"run_id": "r", "trial_id": "t", "task_id": "k", "variant_id": "v", "repl_idx": 0}
_BENCHMARK = {"adapter_id": "a", "name": "b", "split": "test"}
_PREDICTION = {
    "schema_version": "benchmark_prediction_record_v1",
    "ids": _IDS,
    "benchmark": _BENCHMARK,
    "prediction": {"kind": "json", "value": [1, {"a": None}]},
}
_SCORE = {
    "schema_version": "benchmark_score_record_v1",
    "ids": _IDS,
    "benchmark": _BENCHMARK,
    "verdict": "pass",
    "primary_metric_name": "s",
    "primary_metric_value": 1.0,
    "evaluator": {"name": "e", "mode": "official"},
    "artifacts": [{"ref": "s3://x/y"}],
}
_WRITTEN = [
    ("result", json.dumps(_RESULT).encode()),
    ("experiment.yaml", _EXPERIMENT),
    ("suite.yaml", _SUITE),
    ("suite.toml", _SUITE_TOML),
    ("experiment.toml", _EXPERIMENT_TOML),
    ("prediction", json.dumps(_PREDICTION).encode()),
    ("score", json.dumps(_SCORE).encode()),
]
"""Kinds of which nothing is shipped."""
_STEP = (
    b'{"seq":%d,"event_type":"agent_step_start","step_index":%d}\n'
    b'{"seq":%d,"event_type":"agent_step_end","step_index":%d}\n'
    b'{"seq":%d,"event_type":"control_ack","step_index":%d,"control_version":"%d","action_observed":"continue"}\n'
)
_RUN_EVENT = b'{"schema_version":"runner_event_v1","seq":1,"ts":"2026-01-01T00:00:00Z","run_id":"r","run_dir":"/r",'
EVENTS = [
    b"".join(_STEP % (3 * n, n, 3 * n + 1, n, 3 * n + 2, n, n) for n in range(3)),
    _RUN_EVENT + b'"event":"run_started"}\n',
    b'{"seq":1}\n{}\n\nx',
]


def documents() -> list[tuple[str, bytes]]:
    """The target, and the text of each document below bundles/, examples/, docs/examples and the package."""
    found = [(name, path.read_bytes()) for path in _files() if (name := _target(path))]
    return sorted({*found, *_WRITTEN})


def _files() -> Iterator[Path]:
    for folder in ("bundles", "examples", "docs/examples", "agentics/lighteval"):
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.is_file())


def _target(path: Path) -> str | None:
    if path.suffix != ".json" or path.stat().st_size > 1 << 16:
        return None
    if path.name in _NAMES:
        return _NAMES[path.name]
    if path.parent.name in _FOLDERS:
        return _FOLDERS[path.parent.name]
    try:
        keys = json.loads(path.read_bytes())
    except ValueError:
        return None
    marks = {"runs": "runs", "session_name": "session", "jobspec_version": "jobspec", "public_results": "result"}
    return next((target for key, target in marks.items() if isinstance(keys, dict) and key in keys), None)


def archives() -> list[bytes]:
    """Solutions as ZIPs, made in each of the ways that are read."""
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return [_zip(method) for method in methods]


def _zip(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("agentics.solution.json", b'{"protocol":"zip_project","protocol_version":1}')
        archive.writestr("d/", b"")
        archive.writestr("d/run.sh", b"echo 1\n" * 20)
    return buffer.getvalue()
