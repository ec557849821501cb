"""What would keep an experiment from its end, found in seconds and not in hours. Starts one container at most."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from agentics.archive import read_solution
from agentics.config import Config, runtime_of
from agentics.errors import AgenticsError, ConfigError
from agentics.model.run.design import AdapterCommand
from agentics.model.run.experiment import ResolvedExperiment
from agentics.model.run.experiment_file import ExperimentFile
from agentics.request.campaign import Campaign
from agentics.request.experiment_file import AskedExperiment, asked_for, compiled, solutions_of
from agentics.request.granted_network import check_network, network_of
from agentics.request.trial_images import ready, unbuilt, unservable, used
from agentics.runner.machine import open_engine, open_scratch
from agentics.runner.runtimes import check_runtimes
from agentics.sandbox.engine import Engine

MIN_FREE = "AGENTICS_MIN_FREE_BYTES"
_DEFAULT_FREE = 20 << 30
_SCRIPTS = (".py", ".sh")


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """One check. `skipped`: it was not made, because one that it needs failed; it decides nothing."""

    name: str
    passed: bool
    severity: Literal["error", "warning"]
    message: str
    skipped: bool = False


class Probed(Engine, Protocol):
    """An engine that can show that it isolates."""

    def probe(self, image: str, runtime: str | None) -> object:
        """Raises EngineError where it does not."""


@dataclass(kw_only=True)
class _Findings:
    checks: list[Preflight] = field(default_factory=list)

    def make(self, name: str, check: Callable[[], str], needs: tuple[str, ...] = ()) -> None:
        """A check says what it tried, and raises AgenticsError with what is wrong."""
        failed = [one.name for one in self.checks if one.name in needs and not one.passed]
        if failed:
            message = f"skipped: {', '.join(failed)} failed"
            self.checks.append(Preflight(name=name, passed=False, severity="warning", message=message, skipped=True))
            return
        try:
            passed, message = True, check()
        except AgenticsError as error:
            passed, message = False, _said(error)
        self.checks.append(Preflight(name=name, passed=passed, severity="error", message=message))


def preflight(
    found: ExperimentFile | ResolvedExperiment, folder: Path, config: Config, output_path: Path
) -> list[Preflight]:
    """Every check, in the order in which they build on one another."""
    findings = _Findings()
    asked: list[AskedExperiment] = []
    findings.make("dataset_task_ids", lambda: _tasks(found, folder, asked))
    findings.make("variant_runtime_profiles", lambda: _variants(found, folder))
    campaign: list[Campaign] = []
    findings.make(
        "schedule",
        lambda: _schedule(asked[0], config, campaign),
        needs=("dataset_task_ids", "variant_runtime_profiles"),
    )
    findings.make("network", lambda: _network(campaign[0], config), needs=("schedule",))
    findings.checks.append(_disk(output_path))
    _engine(findings, campaign, config)
    adapter = asked[0].request.adapter if asked else None
    findings.make("benchmark_grader_reachable", lambda: _adapter(adapter), needs=("dataset_task_ids",))
    return findings.checks


def passed(checks: list[Preflight]) -> bool:
    return all(check.passed or check.severity == "warning" for check in checks)


def _tasks(found: ExperimentFile | ResolvedExperiment, folder: Path, asked: list[AskedExperiment]) -> str:
    asked.append(asked_for(found, folder))
    return _read([*asked[0].request.bundles, *asked[0].request.jobspecs])


def _variants(found: ExperimentFile | ResolvedExperiment, folder: Path) -> str:
    paths = solutions_of(found, folder)
    for name, path in paths.items():
        read_solution(path, name=name)
    return _read([*paths.values()]) if paths else "no solution: the variants are models"


def _read(paths: list[Path]) -> str:
    return f"read {', '.join(map(str, paths))}"


def _schedule(asked: AskedExperiment, config: Config, campaign: list[Campaign]) -> str:
    campaign.append(compiled(asked, config))
    return f"{len(campaign[0].trials)} pairs of variant and task can be planned"


def _network(campaign: Campaign, config: Config) -> str:
    for trial in campaign.trials:
        check_network(trial.plan, config)
    found = dict.fromkeys(said for trial in campaign.trials if (said := network_of(trial.plan, config)) is not None)
    return "; ".join(found) or "no stage declares network"


def _disk(output_path: Path) -> Preflight:
    place = next(path for path in (output_path.absolute(), *output_path.absolute().parents) if path.exists())
    said = os.environ.get(MIN_FREE, "")
    wanted = int(said) if said.isdecimal() else _DEFAULT_FREE
    free = shutil.disk_usage(place).free
    message = f"{place}: {free / (1 << 30):.1f} GiB free, {wanted / (1 << 30):.1f} GiB wanted ({MIN_FREE})"
    return Preflight(name="disk_headroom", passed=free >= wanted, severity="warning", message=message)


def _engine(findings: _Findings, campaign: list[Campaign], config: Config) -> None:
    reached = "agent_runtime_reachable"
    try:
        with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
            findings.make("container_ready", lambda: _images(campaign[0], config, engine), needs=("schedule",))
            needs = ("schedule", "container_ready")
            findings.make(reached, lambda: _probe(campaign[0], config, engine), needs=needs)
    except AgenticsError as error:
        failed = Preflight(name="container_ready", passed=False, severity="error", message=_said(error))
        findings.checks.append(failed)
        findings.make(reached, str, needs=("container_ready",))


def _said(error: AgenticsError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _images(campaign: Campaign, config: Config, engine: Engine) -> str:
    request, facts = campaign.request, engine.facts()
    names: dict[str, None] = {}
    check_runtimes((trial.plan for trial in campaign.trials), config, facts)
    for trial in campaign.trials:
        why = unservable(trial.plan, config, facts, request.images)
        if why is not None:
            msg = f"{trial.ref}: {why}"
            raise ConfigError(msg, code="target_unsupported", hint="its trials would be skipped")
        own = used(trial.plan, config, request.images)
        if not unbuilt(own, engine):
            ready(trial.plan, config, engine, request.images)
        names |= dict.fromkeys(own)
    lacking = ", ".join(f"{one.reference} ({one.cost})" for one in unbuilt(names, engine))
    if lacking:
        return f"the run builds {lacking} when it starts"
    return f"{facts.name} {facts.version} has {', '.join(names)}"


def _probe(campaign: Campaign, config: Config, engine: Probed) -> str:
    if not campaign.solutions:
        return "no solution is run in a container of its own"
    plan, overrides = campaign.solutions[0].plan, campaign.request.images
    runtime = runtime_of(config, plan.target, "run")
    if unbuilt(used(plan, config, overrides), engine):
        return "not tried: the image is not built yet"
    image = ready(plan, config, engine, overrides)["solution"].use.used
    engine.probe(image, runtime)
    return f"a container of {image} was started, isolated and removed"


def _adapter(adapter: AdapterCommand | None) -> str:
    if adapter is None:
        return "no adapter: nothing is written below benchmark/"
    program = adapter.command[0]
    where = shutil.which(program)
    if where is None:
        msg = f"/benchmark/adapter/command: {program} is no program that can be run"
        raise ConfigError(msg, hint="looked for on PATH; a path begins with ./ and is relative to the file")
    for word in _scripts(adapter):
        if not Path(word).is_file():
            msg = f"/benchmark/adapter/command: {word}: no such file"
            raise ConfigError(msg, hint="a path that begins with ./ is relative to the file")
    return f"found {where}"


def _scripts(adapter: AdapterCommand) -> Iterator[str]:
    return (word for word in adapter.command[1:2] if word.endswith(_SCRIPTS))
