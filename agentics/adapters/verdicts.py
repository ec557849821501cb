"""The adapter for challenges: what each trial's own evaluator decided, as predictions and scores.

`python -m agentics.adapters.verdicts`, for /benchmark/adapter/command. It scores nothing anew and reads no clock, so
the same evidence gives the same bytes. A trial without a verdict has a row all the same, which says `missing` or
`error`; its number, which the format requires, is 0 and counts in no mean, and `metrics.primary_metric_defined` is
false.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agentics import __version__
from agentics.errors import AgenticsError, StorageError
from agentics.model.run.benchmark import (
    AdapterManifest,
    BenchmarkName,
    BenchmarkSource,
    EvaluatorIdentity,
    EvaluatorMode,
    EvidenceLine,
    Prediction,
    PredictionRecord,
    RecordSchemas,
    ScoreError,
    ScoreRecord,
    ScoreVerdict,
)
from agentics.model.run.directory import Objective, ResultOutcome, TrialResult
from agentics.rundir.benchmark import evidence_lines
from agentics.rundir.files.artifacts import ArtifactStore

ADAPTER_ID = "agentics.adapters.verdicts"
_VERDICTS: Mapping[ResultOutcome, ScoreVerdict] = {
    "success": "pass",
    "failure": "fail",
    "missing": "missing",
    "error": "error",
}


def main() -> int:
    """0; or 1, with the reason on standard error, where the evidence cannot be believed."""
    try:
        _write(Path(os.environ["AGENTICS_RUN_DIR"]))
    except KeyError as error:
        return _fail(f"{error.args[0]} is not set: this program is run by agentics, as an adapter")
    except AgenticsError as error:
        return _fail(error.message)
    return 0


def _write(root: Path) -> None:
    store = ArtifactStore(root / "artifacts" / "sha256")
    trials = [(line, _result(line, store)) for line in evidence_lines(root)]
    manifest = _manifest([result for _, result in trials if isinstance(result, TrialResult)])
    source = manifest.benchmark
    name = BenchmarkName(adapter_id=ADAPTER_ID, name=source.name, version=source.version, split=source.split)
    evaluator = manifest.evaluator
    _save("AGENTICS_ADAPTER_MANIFEST_PATH", [manifest])
    _save("AGENTICS_PREDICTIONS_PATH", (_prediction(line, name) for line, _ in trials))
    _save("AGENTICS_SCORES_PATH", (_score(line, result, name, evaluator) for line, result in trials))


def _result(line: EvidenceLine, store: ArtifactStore) -> TrialResult | str:
    """The trial's result, or why it is none. Raises StorageError when the evidence is not what its name says."""
    try:
        return TrialResult.model_validate_json(store.read(_output(line)))
    except ValidationError:
        return "its result breaks agent_result_v1"


def _output(line: EvidenceLine) -> str:
    ref = line.evidence.get("trial_output_ref")
    if not isinstance(ref, str):
        msg = f"{line.ids.trial_id}: the evidence has no trial_output_ref"
        raise StorageError(msg, code="damaged_file")
    return ref


def _manifest(results: Iterable[TrialResult]) -> AdapterManifest:
    modes = {result.ext.mode for result in results}
    mode: EvaluatorMode = "official" if modes == {"official"} else "custom"
    return AdapterManifest(
        schema_version="benchmark_adapter_manifest_v1",
        adapter_id=ADAPTER_ID,
        adapter_version=__version__,
        benchmark=BenchmarkSource(name="agentics-challenges", split="+".join(sorted(modes)) or "validation"),
        execution_mode="predict_then_score",
        record_schemas=RecordSchemas(prediction="benchmark_prediction_record_v1", score="benchmark_score_record_v1"),
        evaluator=EvaluatorIdentity(name="challenge-evaluator", version=__version__, mode=mode),
        capabilities={
            "supports_containerized_scoring": True,
            "supports_official_evaluator": True,
            "requires_network_for_scoring": False,
            "deterministic_scoring": True,
        },
        ext={},
    )


def _prediction(line: EvidenceLine, name: BenchmarkName) -> PredictionRecord:
    return PredictionRecord(
        schema_version="benchmark_prediction_record_v1",
        ids=line.ids,
        benchmark=name,
        prediction=Prediction(kind="artifact_ref", artifact_ref=_output(line), metadata={"attempt": line.attempt}),
        metrics={},
        ext={},
    )


def _score(
    line: EvidenceLine, result: TrialResult | str, name: BenchmarkName, evaluator: EvaluatorIdentity
) -> ScoreRecord:
    verdict: ScoreVerdict = "error" if isinstance(result, str) else _VERDICTS[result.outcome]
    metric = _metric(result, verdict)
    return ScoreRecord(
        schema_version="benchmark_score_record_v1",
        ids=line.ids,
        benchmark=name,
        verdict=verdict,
        primary_metric_name=metric.name if metric else "passed",
        primary_metric_value=metric.value if metric else 0.0,
        metrics={**_metrics(result), "primary_metric_defined": metric is not None},
        evaluator=evaluator,
        error=_error(result) if verdict == "error" else None,
        ext={},
    )


def _metric(result: TrialResult | str, verdict: ScoreVerdict) -> Objective | None:
    """The evaluator's own number; where it gave a verdict and no number, the verdict as one. None without a verdict."""
    if isinstance(result, str) or verdict not in {"pass", "fail"}:
        return None
    return result.objective or Objective(name="passed", value=float(verdict == "pass"))


def _metrics(result: TrialResult | str) -> dict[str, Any]:
    return {} if isinstance(result, str) else dict(result.metrics)


def _error(result: TrialResult | str) -> ScoreError:
    if isinstance(result, str):
        return ScoreError(error_type="invalid_result", message=result)
    return ScoreError(error_type=result.ext.fault or "error", message=result.ext.reason or "error")


def _save(variable: str, records: Iterable[BaseModel]) -> None:
    path = Path(os.environ[variable])
    lines = (record.model_dump_json(by_alias=True, exclude_none=True) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def _fail(message: str) -> int:
    sys.stderr.write(f"{ADAPTER_ID}: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
