"""A JobSpec as a run has it: one variant, a plan for each of its tasks, and what identifies all of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from agentics.content import digest_of
from agentics.lighteval import planning
from agentics.lighteval.job import CheckedJob
from agentics.model.job.jobspec import JobSpec
from agentics.model.job.judge_template import JudgeTemplate
from agentics.model.plan.trial_plan import Plan, WorkerSharing
from agentics.request.planned_trial import PlannedTrial

_PATHS = ("path", "model_path")


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """A JobSpec as one variant of a run. `plans` by task reference; `paths`: the host's folders by a plan's places."""

    checked: CheckedJob
    file: Path
    known: planning.Identified
    plans: Mapping[str, Plan]
    paths: Mapping[str, Path]
    in_container: bool

    @property
    def variant(self) -> str:
        return self.checked.variant

    @cached_property
    def spec(self) -> JobSpec:
        """With every plugin pinned to its content."""
        digests = {each.manifest.name: each.sha256 for each in self.checked.plugins}
        pinned = tuple(
            each.model_copy(update={"sha256": digests[each.name]}) for each in self.checked.spec.custom_plugins
        )
        return self.checked.spec.model_copy(update={"custom_plugins": pinned})

    @cached_property
    def digest(self) -> str:
        """Of what the job says; where its files are does not count."""
        return digest_of(_without_paths(self.spec.model_dump(mode="json")))

    @cached_property
    def plan_digest(self) -> str:
        return planning.plan_digest(self.plans)

    @cached_property
    def model_digest(self) -> str:
        """Of the model: what it is, and all that it is asked with."""
        asked = next(iter(self.plans.values())).stages[0].options["ask"]
        return digest_of({"backend": asked["backend"], "generation": asked["generation"]})

    @cached_property
    def task_digests(self) -> dict[str, str]:
        """Of each task: what the job says of it, and how it is scored."""
        return {ref: digest_of(self._task(each)) for ref, each in self.plans.items()}

    @cached_property
    def scoring(self) -> dict[str, JsonValue]:
        return planning.scoring(self.checked, self.known)

    @property
    def revision(self) -> str | None:
        """What identifies the model's weights."""
        return planning.revision(self.checked, self.known)

    @property
    def max_samples(self) -> int | None:
        """As asked, where `--limit` may say less than the spec."""
        most: int | None = next(iter(self.plans.values())).stages[0].options["ask"]["max_samples"]
        return most

    @property
    def templates(self) -> dict[str, JudgeTemplate]:
        """By judge."""
        return {each.name: self.known.templates[each.template_id] for each in self.checked.judges}

    def comparability(self, ref: str) -> str:
        """What trials of this task must share to be compared."""
        score = next(stage.options for stage in self.plans[ref].stages if stage.name == "score_answers")
        return digest_of(score["comparability"])

    def placed(self) -> JobSpec:
        """The spec with the paths of this machine: what can be submitted again from anywhere."""
        folder = self.checked.folder
        plugins = tuple(
            plugin.model_copy(update={"path": str(found.root)})
            for plugin, found in zip(self.spec.custom_plugins, self.checked.plugins, strict=True)
        )
        changes: dict[str, Any] = {"custom_plugins": plugins}
        if self.spec.backend.model_path is not None:
            place = os.path.abspath(folder / self.spec.backend.model_path)  # noqa: PTH100 - keeps links as they are
            changes["backend"] = self.spec.backend.model_copy(update={"model_path": place})
        return self.spec.model_copy(update=changes)

    def trial(self, ref: str, **shared: Any) -> ModelPlan:  # noqa: ANN401 - fields of a slotted trial
        return ModelPlan(ref=ref, variant=self.variant, plan=self.plans[ref], job=self, **shared)

    def _task(self, plan: Plan) -> dict[str, JsonValue]:
        options = {stage.name: stage.options for stage in plan.stages}
        asked = {
            key: value for key, value in options["ask_model"]["ask"].items() if key not in ("backend", "generation")
        }
        return {"ask": asked, "judge": options.get("judge_answers"), "score": options["score_answers"]}


@dataclass(frozen=True, kw_only=True)
class ModelPlan(PlannedTrial):
    """A model on a task."""

    job: PlannedJob


def mounts_of(trials: Iterable[ModelPlan]) -> dict[WorkerSharing, dict[str, Path]]:
    """The folders that workers need, by what else they need. Paths inside the worker are keys."""
    found: dict[WorkerSharing, dict[str, Path]] = {}
    for trial in trials:
        worker = trial.plan.worker
        if worker is not None:
            own = found.setdefault(worker.sharing, {})
            own.update({mount.target: trial.job.paths[mount.place] for mount in worker.mounts})
    return found


def _without_paths(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {key: _without_paths(item) for key, item in value.items() if key not in _PATHS}
        case list():
            return [_without_paths(item) for item in value]
        case _:
            return value
