"""Before somebody goes on with a run: what lies there is held against what was attested, so that nothing is covered up.

The source of the rule is that an attestation is written anew by whoever changed a run, over whatever lies there then.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentics.errors import RunAltered
from agentics.model.document.finding import Finding
from agentics.model.run.directory import Alteration, AlterationsAccepted
from agentics.rundir.files import ledger, lock, set_aside
from agentics.rundir.files.atomic import utc_now
from agentics.rundir.files.layout import Layout
from agentics.rundir.integrity.checks import NO_FILE, identities, look_at
from agentics.rundir.open_run import OpenRun

_DECIDES_NOTHING = "runtime/events.jsonl"
"""A log for programs, on which nothing rests: that it was altered is recorded, and keeps nobody from going on."""
_MENDED = "`agentics run recover` sets damaged files aside, and what they said is made again"
_ACCEPTED = "`agentics run verify` names all of it; --accept-alterations goes on, and the run says so for good"


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """`accepted`: what was altered, and is recorded now. `attested`: the attestation covered the whole run before."""

    accepted: tuple[Alteration, ...]
    attested: bool


def check_unaltered(layout: Layout) -> None:
    """Raises RunAltered where a run that nobody works on was altered, and nobody has accepted that."""
    if not lock.is_held(layout.lock):
        _refuse(layout, _decisive(tuple(look_at(layout, whole=False).altered.values())))


def admit(run: OpenRun, *, accept: bool) -> Admitted:
    """As `check_unaltered`, for the holder of the lock. With `accept`, what was altered is recorded instead, in the
    ledger of invocations and by every later attestation; so is what a recovery can mend."""
    look = look_at(run.layout, whole=False)
    found = tuple(look.altered.values())
    damaged = tuple(each for each in found if set_aside.can_be(run.layout, each)) if run.operation == "recover" else ()
    decisive = _decisive(found)
    if not accept and len(damaged) < len(decisive):
        _refuse(run.layout, decisive)
    if found:
        run.announce()
        if damaged:
            run.mended = set_aside.set_aside(run.layout, damaged)
            known, after = identities(found), look_at(run.layout, whole=False).altered.values()
            found += tuple(each for each in after if identities((each,)).isdisjoint(known))
        entry = AlterationsAccepted(operation=run.operation, alterations=found, at=utc_now())
        ledger.append(run.layout.invocations, entry)
    return Admitted(accepted=found, attested=look.current)


def _decisive(found: tuple[Alteration, ...]) -> tuple[Alteration, ...]:
    return tuple(each for each in found if each.path != _DECIDES_NOTHING or each.what == NO_FILE)


def _refuse(layout: Layout, found: tuple[Alteration, ...]) -> None:
    if not found:
        return
    first = found[0]
    place = first.path if first.line is None else f"{first.path}:{first.line}"
    msg = f"run {layout.root.name} is not what it was: {place}: {first.what}"
    findings = (Finding(code="altered", message=each.what, file=each.path, line=each.line or 0) for each in found)
    hint = _MENDED if all(set_aside.can_be(layout, each) for each in found) else _ACCEPTED
    raise RunAltered(msg, tuple(findings), hint=hint)
