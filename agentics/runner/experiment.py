"""The request as it was understood: variants on tasks, with every digest. Private; its digest is in the manifest."""

from __future__ import annotations

from pydantic import JsonValue

from agentics.runner.campaign import Campaign
from agentics.runner.limits import timeout_s


def resolved(campaign: Campaign) -> dict[str, JsonValue]:
    """resolved_experiment.json: a baseline variant and its alternatives on a list of tasks."""
    request = campaign.request
    digests = {trial.variant: f"sha256:{trial.package.sha256}" for trial in campaign.trials}
    variants: list[JsonValue] = [
        {"variant_id": name, "bindings": {"solution_digest": digests[name]}} for name in campaign.directories.values()
    ]
    tasks = _tasks(campaign)
    return {
        "version": "0.5",
        "experiment": {"id": "eval", "name": "eval", "workload_type": "challenge_evaluation"},
        "dataset": {
            "path": ".",
            "provider": "bundles",
            "suite_id": "eval",
            "schema_version": "1",
            "split_id": request.mode,
            "limit": len(tasks),
        },
        "design": {
            "sanitization_profile": "hermetic",
            "comparison": "none",
            "replications": 1,
            "random_seed": 0,
            "shuffle_tasks": False,
            "max_concurrency": 1,
        },
        "baseline": variants[0],
        "variant_plan": variants[1:],
        "runtime": {"policy": _policy(campaign)},
        "ext": {"tasks": tasks, "cases": request.limit},
    }


def _tasks(campaign: Campaign) -> list[JsonValue]:
    tasks = {trial.task.ref: trial.task for trial in campaign.trials}
    return [
        {"task": ref, "bundle_digest": task.bundle_digest, "overlay_digests": list(task.overlay_digests)}
        for ref, task in tasks.items()
    ]


def _policy(campaign: Campaign) -> dict[str, JsonValue]:
    return {
        "timeout_ms": max(timeout_s(trial.plan) for trial in campaign.trials) * 1000,
        "network": {"mode": "none", "allowed_hosts": []},
        "sandbox": {
            "mode": "container",
            "root_read_only": True,
            "hardening": {"no_new_privileges": True, "drop_all_caps": True},
        },
    }
