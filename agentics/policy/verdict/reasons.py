"""The words for reason codes: what happened, and what to do about it. Screens and documents take them from here."""

from __future__ import annotations

_WHAT = {
    "solution_setup_failed": "the solution's setup script failed",
    "solution_build_failed": "the solution's build script failed",
    "verdict_fail": "the evaluator ended well and says: failed",
    "all_samples_failed": "every case ended badly",
    "partial_errors": "passed, but some cases ended badly",
    "judge_failed": "no answer has a verdict: too few judges gave one",
    "judges_tied": "no answer has a verdict: the judges tied on every answer",
    "prompts_truncated": "prompts were cut to fit the model",
    "partial_pass": "passed, but the evaluator does not say so of every case",
    "no_samples": "there was no case to evaluate",
    "solution_out_of_memory": "the solution went beyond its memory limit",
    "solution_timed_out": "the solution went beyond its time limit",
    "solution_output_limit": "the solution wrote more than a session may carry",
    "solution_disk_limit": "the solution wrote more files than its disk limit allows",
    "solution_crashed": "the solution ended badly before the session was over",
    "solution_kept_evaluator_waiting": "the evaluator's time ran out while it waited for the solution",
    "shared_container_timed_out": "time ran out in the container that evaluator and solution share",
    "shared_container_out_of_memory": "memory ran out in the container that evaluator and solution share",
    "shared_container_exhausted": "the solution used up what it shares with the evaluator, and the evaluator failed",
    "evaluator_crashed": "the evaluator ended badly",
    "evaluator_timed_out": "the evaluator went beyond its time limit",
    "evaluator_out_of_memory": "the evaluator went beyond its memory limit",
    "result_missing": "the evaluator ended well, without writing its result file",
    "result_not_regular": "the evaluator's result is not a regular file",
    "result_too_large": "the evaluator's result file is too large",
    "result_invalid": "the evaluator's result file breaks its contract",
    "evaluator_error": "the evaluator reports an error of its own",
    "manifest_invalid": "the challenge's run or session manifest breaks its contract",
    "challenge_setup_failed": "the challenge's setup failed",
    "worker_lost": "the process that evaluated this died",
    "target_unsupported": "this machine cannot serve the target",
    "subtask_failure": "a replication failed",
    "subtask_error": "a replication has no verdict",
    "subtask_degraded": "a replication is degraded",
    "subtask_pending": "a replication is not finished",
    "subtask_skipped": "a replication was skipped",
    "image_build_failed": "an image that the trial needs could not be built",
    "network_forbidden": "a stage declares network, and agentics.toml forbids it on this machine",
    "network_unreachable": "a host that a stage needed cannot be reached from its container",
    "runtime_missing": "agentics.toml names a runtime that the engine does not have",
    "runtime_without_network": "a stage declares network, and the runtime of its container gives none",
    "limits_not_kept": "a runtime that agentics.toml names does not keep the limits of containers",
    "users_not_apart": "a runtime does not keep the solution out of the evaluator's processes in a shared container",
    "no_free_uid": "all users that containers of participant code may have are in use",
    "trial_time_limit": "the trial took longer than the experiment, or `task_s` of [lighteval.limits], allows",
    "pruned": "its variant was given up after failures in a row",
    "killed": "a controller killed the run",
    "paused": "a controller paused the run",
}
_ADVICE = {
    "solution_setup_failed": "scripts run as `sh SCRIPT` in /workspace, without a network unless the target allows it",
    "no_samples": "leave --limit out, or give it at least 1",
    "judge_failed": "the same command with this --run-id asks the judges again that gave no verdict",
    "judges_tied": "an odd number of judges, other weights, or aggregation mean or median",
    "prompts_truncated": "fewer examples, a model that takes more, or allow_truncated_prompts in the job",
    "evaluator_crashed": "an evaluator must exit 0, and write a failed result for a participant's fault",
    "result_missing": "its result file must be written below /output, under the name that the bundle declares",
    "result_invalid": "docs/bundle-format.md has every rule of result.json",
    "manifest_invalid": "`agentics challenge check` says where",
    "engine_missing": "`agentics doctor` examines this machine; DOCKER_HOST says where an engine listens",
    "engine_forbidden": "`agentics doctor` says how this user gets access to the engine's socket",
    "image_build_failed": "`agentics images build NAME` shows each step; docs/cli.md says how to name mirrors",
    "image_missing": "run `agentics images build`, or map the image in agentics.toml, or say --image REF=LOCAL",
    "network_forbidden": "[network] allowed in agentics.toml; `agentics plan` says which stages declare network",
    "network_unreachable": "[network] in agentics.toml gives stages proxies and a CA bundle; see `agentics doctor`",
    "runtime_missing": "`agentics doctor` says what the engine has; [sandbox] runtime and runtimes in agentics.toml",
    "runtime_without_network": "[[sandbox.runtimes]] in agentics.toml gives containers of some roles another runtime",
    "limits_not_kept": "`agentics doctor` examines every runtime that agentics.toml names",
    "users_not_apart": "[[sandbox.runtimes]] in agentics.toml gives the role coexecuted-evaluator another runtime",
    "no_free_uid": "[sandbox] uids in agentics.toml says how many there are",
    "target_unsupported": "--target evaluates on one target only; another machine may serve this one",
    "interrupted": "the same command with this --run-id goes on where it stopped",
    "worker_lost": "the same command with this --run-id tries again",
}


def what(reason: str) -> str:
    """The reason as a sentence; the words of the code where it has none."""
    return _WHAT.get(reason, reason.replace("_", " "))


def advice(reason: str) -> str | None:
    """What to do about a reason, where that follows from the reason alone."""
    return _ADVICE.get(reason)
