"""Every exception of agentics: a stable code, the exit status of the process, and a hint for the person who must act.

Imported by all, imports nothing. What a participant can cause is never an exception: it is a value in the evidence.

    AgenticsError
    ├── UsageError            2  the request cannot be carried out as asked; nothing was started
    │   ├── InvalidDocument   2  a bundle, solution, overlay or configuration breaks its contract
    │   └── ConfigError       2  agentics.toml or an eval file is wrong
    ├── BenchmarkError        4  an adapter failed or broke its contract: the run failed, its trials did not
    ├── Refused               7  a locked run, or a run whose scope differs
    │   └── RunAltered        7  a run that is not what its attestation says
    ├── Stopped             130  a signal ended what was being done before it had a result
    ├── EngineError           5  the container engine failed: infrastructure, never a verdict
    │   └── EngineMissing     5  no engine answers at all
    └── StorageError          5  the run directory cannot be written or read back
"""

from __future__ import annotations

from typing import Protocol


class AgenticsError(Exception):
    """Base of all; `code` is stable and machine-readable, `exit_status` is what the process ends with."""

    exit_status = 1
    code = "error"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(AgenticsError):
    """The request cannot be carried out as asked, and nothing was started."""

    exit_status = 2
    code = "usage"


class InvalidDocument(UsageError):
    """A document breaks its contract; `findings` (model.finding.Finding) says where and how to mend it."""

    code = "invalid_document"

    def __init__(self, message: str, findings: tuple[object, ...] = (), *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class ConfigError(UsageError):
    """The operator's configuration is wrong."""

    code = "invalid_config"


class BenchmarkError(AgenticsError):
    """An adapter failed, or wrote what breaks its contract: no score exists, and every trial stays as it is.

    `findings` (model.finding.Finding) say where; their paths are relative to the run directory. `run` is that of
    envelopes, `run_id` and `run_dir`, where it is known.
    """

    exit_status = 4
    code = "benchmark_error"
    run: dict[str, str] | None = None

    def __init__(
        self, message: str, findings: tuple[object, ...] = (), *, code: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.findings = findings


class Refused(AgenticsError):
    """Somebody else holds the run, or the run was made with another scope."""

    exit_status = 7
    code = "refused"


class RunAltered(Refused):
    """A run directory is not what its attestation and its ledgers say, so nobody goes on with it unasked.

    `findings` (model.finding.Finding) say where; their paths are relative to the run directory.
    """

    code = "run_altered"

    def __init__(self, message: str, findings: tuple[object, ...], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class StopFlag(Protocol):
    """Whether somebody asked to stop; a `threading.Event` will do. Whoever finds it set raises Stopped or the like."""

    def is_set(self) -> bool: ...


class Stopped(AgenticsError):
    """A signal asked to stop before there was a result. `exit_status` is the shell's 128 + signal."""

    exit_status = 130
    code = "interrupted"


class Terminated(BaseException):
    """A signal asked this process to end: what KeyboardInterrupt is to Python, for each of them."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class EngineError(AgenticsError):
    """The container engine failed. `retryable` says whether trying the same again can help."""

    exit_status = 5
    code = "engine_error"

    def __init__(
        self, message: str, *, code: str | None = None, hint: str | None = None, retryable: bool = True
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retryable = retryable


class EngineMissing(EngineError):
    """No container engine answers."""

    code = "engine_missing"


class StorageError(AgenticsError):
    """The run directory cannot be written, or what was read back is damaged."""

    exit_status = 5
    code = "storage_error"
