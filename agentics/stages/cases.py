"""The cases of a separated evaluation: each in a fresh container, several in flight, whatever becomes of them.

A case that ends badly, or leaves what it may not, is a fact for the evaluator and for the verdict; it stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from agentics.archive.tree import DIRECTORY_MODE, file_mode
from agentics.errors import InvalidDocument
from agentics.model.bundle.manifest import RunEntry
from agentics.model.document.strict_types import pretty_json
from agentics.model.evidence.trial_evidence import CaseRecord, Trouble
from agentics.model.plan.trial_plan import RunCases
from agentics.pipeline.attempt_tools import AttemptTools, attempt_tools
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.policy.verdict.endings import ending_facts
from agentics.stages import evaluate
from agentics.stages.case import carry_out
from agentics.stages.manifest import invalid, run_manifest

name = "cases"
describe = described(
    name, "The cases of a separated evaluation, each in a fresh container.", RunCases, needs=("trial", "docker")
)
TIMED = "agentics_timed"
MEMORY_SHARE = 0.8


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools, wanted = attempt_tools(context), RunCases.model_validate(options)
    try:
        manifest = run_manifest(tools, wanted.manifest)
    except (InvalidDocument, OSError) as error:
        return StageFailure(trouble=invalid(name, error), context=context)
    runs = manifest.runs[: wanted.limit] if wanted.limit is not None else manifest.runs
    context = context.with_evidence(cases_expected=len(runs))
    trouble = _why_not(tools, runs)
    if trouble is not None:
        return StageFailure(trouble=trouble, context=context)
    try:
        _write_manifest(tools, runs)
    except InvalidDocument as error:
        return StageFailure(trouble=invalid(name, error), context=context)
    return context.with_cases(_all(tools, wanted, runs))


def _why_not(tools: AttemptTools, runs: Sequence[RunEntry]) -> Trouble | None:
    if not runs:
        return Trouble(stage=name, code="no_cases", message="no case was asked for", fault="user")
    new = sum(run.run_name not in tools.resume.cases for run in runs)
    if new and tools.resume.submission is not None:  # the solution is not at hand
        message = f"{new} of {len(runs)} cases of this bundle are not among those that the solution was run on"
        return Trouble(stage=name, code="case_not_run", message=message, fault="user")
    return None


def in_flight(tools: AttemptTools, wanted: RunCases, runs: Sequence[RunEntry]) -> int:
    """Cases at once: two for each core that a case may use, as memory allows; one for timed cases."""
    if tools.undisturbed or any((run.metadata or {}).get(TIMED) is True for run in runs):
        return 1
    facts, limits = tools.engine.facts(), wanted.container.limits
    by_cores = 2 * facts.cpus * 1000 // limits.cpu_limit_millis
    by_memory = int(facts.memory_bytes * MEMORY_SHARE) // (limits.memory_limit_mb << 20)
    return max(1, min(len(runs), tools.jobs or by_cores, by_memory))


def _all(tools: AttemptTools, wanted: RunCases, runs: Sequence[RunEntry]) -> tuple[CaseRecord, ...]:
    at_once = in_flight(tools, wanted, runs)
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="case") as pool:
        one = partial(carry_out, tools, wanted)
        futures = [pool.submit(one, index, run) for index, run in enumerate(runs)]
        try:
            _watch(tools, futures, at_once)
            return tuple(future.result() for future in futures)
        finally:
            for future in futures:
                future.cancel()


def _watch(tools: AttemptTools, futures: Sequence[Future[CaseRecord]], at_once: int) -> None:
    """Tell of each case as it ends; have the evaluator ready while the last ones run. Raises what a case raised."""
    left: set[Future[CaseRecord]] = set(futures)
    told = 0
    while left:
        if len(left) <= at_once and at_once > 1:
            evaluate.start_ahead(tools)
        done, left = wait(left, return_when=FIRST_COMPLETED)
        for future in done:
            record = future.result()
            told += 1
            tools.observe(
                "case_finished",
                stage=name,
                case=record.run_name,
                **ending_facts(record.container, record.violation),
                done=told,
                total=len(futures),
            )


def _write_manifest(tools: AttemptTools, runs: Sequence[RunEntry]) -> None:
    """The manifest as evaluators read it: each run's metadata nested, and flattened into the run beside it."""
    entries = []
    for run in runs:
        entry = run.model_dump(mode="json")
        for key, value in (run.metadata or {}).items():
            if key in entry:
                msg = f"runs: metadata key {key!r} of {run.run_name} collides with a field of the run"
                raise InvalidDocument(msg)
            entry[key] = value
        entries.append(entry)
    folder = tools.plain("solution_runs")
    folder.chmod(DIRECTORY_MODE)
    file = folder / "agentics-runs.json"
    file.write_text(pretty_json({"runs": entries}), encoding="utf-8")
    file.chmod(file_mode(executable=False))
