"""The words for reason codes: what happened, and what to do about it. One place, so that nobody says it otherwise."""

from __future__ import annotations

STYLES = {"passed": "green", "degraded": "yellow", "no_samples": "yellow", "skipped": "dim", "pending": "dim"}

_WHAT = {
    "solution_setup_failed": "the solution's setup script failed",
    "solution_build_failed": "the solution's build script failed",
    "verdict_fail": "the evaluator ran well, and says no",
    "all_samples_failed": "every case ended badly",
    "partial_errors": "some cases ended badly",
    "partial_pass": "the evaluator says passed, but not of every case",
    "no_samples": "there was no case to evaluate",
    "solution_out_of_memory": "the solution went beyond its memory limit",
    "solution_timed_out": "the solution went beyond its time limit",
    "solution_output_limit": "the solution wrote more than a session may carry",
    "solution_crashed": "the solution ended badly before the session was over",
    "solution_kept_evaluator_waiting": "the evaluator's time ran out while it waited for the solution",
    "result_missing": "the evaluator ended well, without writing its result file",
    "result_not_regular": "the evaluator's result is not a regular file",
    "result_too_large": "the evaluator's result file is too large",
    "result_invalid": "the evaluator's result file breaks its contract",
    "evaluator_error": "the evaluator reports an error of its own",
    "manifest_invalid": "the challenge's run or session manifest breaks its contract",
    "worker_lost": "the process that evaluated this died",
    "subtask_failure": "some replication failed",
    "subtask_error": "some replication has no verdict",
    "subtask_degraded": "some replication is degraded",
    "subtask_pending": "some replication is not finished",
    "trial_time_limit": "the trial took longer than the experiment allows",
    "pruned": "its variant was given up after failures in a row",
    "killed": "a controller killed the run",
    "paused": "a controller paused the run",
}
_HINTS = {
    "solution_setup_failed": "scripts run as `sh SCRIPT` in /workspace, without a network unless the target allows it",
    "solution_build_failed": "what build leaves in /workspace is read-only afterwards",
    "all_samples_failed": "what the cases wrote to stderr is in harness_stderr.log, beside the log",
    "partial_errors": "the attempt's cases.jsonl says which cases, and how they ended",
    "no_samples": "leave --limit out, or give it at least 1",
    "evaluator_crashed": "an evaluator must exit 0, and write a failed result for a participant's fault",
    "result_missing": "its result file must be written below /output, under the name that the bundle declares",
    "result_invalid": "docs/bundle-format.md has every rule of result.json",
    "manifest_invalid": "`agentics challenge check` says where",
    "engine_missing": "`agentics doctor` examines this machine; DOCKER_HOST says where an engine listens",
    "engine_forbidden": "`agentics doctor` says how this user gets access to the engine's socket",
    "image_missing": "run `agentics images build`, or map the image in agentics.toml, or say --image REF=LOCAL",
    "interrupted": "the same command with this --run-id goes on where it stopped",
    "worker_lost": "the same command with this --run-id tries again",
}


def what(reason: str) -> str:
    """The reason as a sentence; a code that has none speaks for itself."""
    return _WHAT.get(reason, reason.replace("_", " "))


def hint(reason: str) -> str | None:
    return _HINTS.get(reason)
