"""Whether a run directory is this user's own work. Only then what it says is carried out on this machine.

Each invocation that begins seals which experiment it begins with. The key of the seal is this user's, and never leaves
their home directory: nobody else, on this machine or another, can make a run directory that it fits.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from agentics.content import as_digest, sha256_of
from agentics.errors import Refused, StorageError, UsageError
from agentics.model.run.directory import InvocationStarted, Manifest, OperationOpened
from agentics.model.run.experiment import ResolvedExperiment
from agentics.rundir.files import ledger, safe_files
from agentics.rundir.files.artifacts import ArtifactStore, hex_of
from agentics.rundir.files.atomic import canonical_bytes, make_directory, read_document, write_bytes
from agentics.rundir.files.layout import Layout
from agentics.rundir.open_run import ENTRIES

INVOCATION = "invocation"
_KEY_BYTES = 32
_HINT = "look at resolved_experiment.json: its commands would run on this machine as you; --trust runs them"


def seal(*facts: str) -> str | None:
    """What says that this user wrote these facts; None where their home keeps no key. The first fact is the kind."""
    key = _key(make=True)
    return _sealed(key, facts) if key is not None else None


def is_own(sealed: str | None, *facts: str) -> bool:
    """Whether this user sealed these facts."""
    key = _key(make=False)
    return key is not None and sealed is not None and hmac.compare_digest(sealed.encode(), _sealed(key, facts).encode())


def recorded_experiment(layout: Layout, *, trust: bool) -> ResolvedExperiment:
    """What the run was made with. What it says is carried out.

    Raises UsageError (not_resumable) where that is not written down; unless `trust`, Refused (run_untrusted) where its
    digests do not hold, or where another user or another machine made the run.
    """
    if trust:
        return _read(layout)
    manifest = read_document(layout.manifest, Manifest)
    entries = ledger.read(layout.invocations, ENTRIES)
    started = next((each for each in reversed(entries) if isinstance(each, InvocationStarted)), None)
    if manifest is None or started is None:
        return _read(layout)  # of which no invocation began: it says nothing to carry out, or does not exist
    _check_owner(layout)
    told = (manifest.run_id, started.invocation_id, started.resolved_experiment_ref)
    if not is_own(started.seal, INVOCATION, *told):
        raise _untrusted(layout.invocations, "the run was made by another user, or on another machine")
    digest = as_digest(hex_of(started.resolved_experiment_ref))
    if isinstance(entries[-1], OperationOpened) and _digest(layout) != digest:
        # The process died while it wrote down the experiment of an invocation that never began.
        data = ArtifactStore(layout.artifacts).read(started.resolved_experiment_ref)
        return ResolvedExperiment.model_validate_json(data)
    _check_digests(layout, manifest, digest)
    return _read(layout)


def _read(layout: Layout) -> ResolvedExperiment:
    found = read_document(layout.resolved, ResolvedExperiment)
    if found is None:
        msg = f"{layout.resolved}: missing"
        raise UsageError(msg, code="not_resumable")
    return found


def _check_owner(layout: Layout) -> None:
    for place in (layout.root, layout.manifest, layout.resolved, layout.invocations):
        with suppress(FileNotFoundError):
            owner = place.lstat().st_uid
            if owner != os.geteuid():
                raise _untrusted(place, f"its owner is user {owner}, and you are user {os.geteuid()}")


def _check_digests(layout: Layout, manifest: Manifest, digest: str) -> None:
    said = {
        layout.resolved: _digest(layout),
        layout.resolved_digest: _noted(layout),
        layout.manifest: manifest.resolved_experiment.digest,
    }
    for place, each in said.items():
        if each is not None and each != digest:
            raise _untrusted(place, f"it is not of the experiment that the run began with, {digest}")


def _digest(layout: Layout) -> str | None:
    with suppress(FileNotFoundError):
        return sha256_of(safe_files.read_file(layout.resolved))
    return None


def _noted(layout: Layout) -> str:
    with suppress(FileNotFoundError):
        return safe_files.read_file(layout.resolved_digest).decode(errors="replace").removesuffix("\n")
    return "missing"


def _untrusted(place: Path, why: str) -> Refused:
    return Refused(f"{place}: {why}", code="run_untrusted", hint=_HINT)


def _sealed(key: bytes, facts: tuple[str, ...]) -> str:
    return f"hmac-sha256:{hmac.new(key, canonical_bytes([*facts]), hashlib.sha256).hexdigest()}"


def _key(*, make: bool) -> bytes | None:
    """This user's key. Its file is theirs alone: any other counts as none."""
    home = os.environ.get("XDG_STATE_HOME")
    place = safe_files.real((Path(home) if home else Path.home() / ".local" / "state") / "agentics") / "run.key"
    try:
        if make and not safe_files.is_file(place):
            make_directory(place.parent)
            write_bytes(place, secrets.token_bytes(_KEY_BYTES), mode=0o600)
        found = place.lstat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            return None
        key = safe_files.read_file(place, _KEY_BYTES)
    except (OSError, StorageError):
        return None
    return key if len(key) == _KEY_BYTES else None
