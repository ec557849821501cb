"""Examines this machine: everything that an evaluation needs, each as one check with its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentics.config import Config
from agentics.errors import AgenticsError, EngineMissing
from agentics.runner.machine import open_engine, open_scratch, scratch_root, setup_store
from agentics.sandbox.kept_setups import size_text
from agentics.sandbox.setups import SetupStore

if TYPE_CHECKING:
    from agentics.sandbox.probe import Check


def examine(config: Config, *, whole_setups: bool = False) -> list[Check]:
    """All checks, in the order in which they build on one another. Never raises for what it is there to find.

    `whole_setups`: kept setups are read to the last byte, which takes a second for each GiB or so."""
    from agentics.sandbox.probe import Check, checks  # noqa: PLC0415 - brings the engine's client, 0.2 s to import

    try:
        with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
            store = setup_store(config, scratch)
            return [*checks(engine, scratch, scratch_root(config)), _kept_setups(store, whole=whole_setups)]
    except EngineMissing as error:
        return [Check(name="engine", ok=False, severity="error", detail=error.message, fix=error.hint or "")]
    except AgenticsError as error:
        return [Check(name=error.code, ok=False, severity="error", detail=error.message, fix=error.hint or "")]


def _kept_setups(store: SetupStore, *, whole: bool) -> Check:
    from agentics.sandbox.probe import Check  # noqa: PLC0415 - as above

    def check(detail: str, fix: str = "") -> Check:
        return Check(name="kept setups", ok=not fix, severity="warning", detail=detail, fix=fix)

    try:
        found, most = store.report(whole=whole), store.most_bytes
    except OSError as error:
        return check(f"{store.root}: {error.strerror}", "remove it: what setups leave cannot be kept")
    detail = f"{found.count}, {size_text(found.bytes)} of at most {size_text(most)}, in {store.root}"
    if found.changed:
        return check(f"{detail}; {found.changed} are no longer what was kept, and not used", "agentics clean --setups")
    return check(detail)
