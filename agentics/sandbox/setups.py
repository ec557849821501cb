"""Products of challenge setups, kept on this machine for later evaluations: made once, verified at each use, bounded.

The store is a directory of one user, which nobody else can enter. What is being made, or removed, lies in the scratch
directory of its process: after a kill it is cleared with that.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agentics.archive.hostile import discard
from agentics.content import as_digest
from agentics.model.evidence.setup_record import KeptSetup, SetupInputs
from agentics.sandbox import kept_setups
from agentics.sandbox.filelock import try_lock
from agentics.sandbox.fingerprint import allocated, content, listing
from agentics.sandbox.kept_setups import CONTENT, LOCK, Changed, SetupReport, size_text
from agentics.sandbox.places import IMAGE, Place, PlaceForm, Scratch

MOST_BYTES = 20 << 30
DISK_SHARE = 10
"""By default so many bytes are kept, but at most this part of the disk: one tenth."""
MOST_PRODUCTS = 1000
_LOOK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How to wait for another attempt that makes the same product: inside of `around`, at most `patience_s`, and not
    any longer once `stop` says so."""

    patience_s: float
    stop: Callable[[], bool] = lambda: False
    around: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(kw_only=True)
class SetupProduct:
    """A product in use: the tree at `path` can be mounted, and is not removed until this is closed."""

    path: Path
    record: KeptSetup
    held: int
    mounted: Place | None = None

    def close(self, scratch: Scratch) -> None:
        if self.mounted is not None:
            scratch.release(self.mounted)
        os.close(self.held)


@dataclass(kw_only=True)
class SetupClaim:
    """What an attempt gets that needs a product: the product, or the task to make it while others wait.

    `waited`: another attempt was making it. `note`: why an earlier product was not taken, or a new one is not kept.
    """

    key: str
    product: SetupProduct | None = None
    note: str | None = None
    waited: bool = False
    making: int | None = None


@dataclass(frozen=True, kw_only=True)
class RemovedSetups:
    """What was removed, and how many products were not because they are in use."""

    count: int
    bytes: int
    in_use: int


@dataclass(kw_only=True)
class SetupStore:
    """This user's store below `scratch_root`, as `scratch` is. Threads may share it.

    `keep_bytes`: how much may be kept, None for the default. `fresh`: take only products that this object has kept.
    """

    scratch_root: Path
    scratch: Scratch
    keep_bytes: int | None = None
    fresh: bool = False
    _made: set[str] = field(default_factory=set)

    @property
    def root(self) -> Path:
        return self.scratch_root / f"setups-{os.geteuid()}"

    @property
    def most_bytes(self) -> int:
        """How much may be kept. Raises OSError."""
        if self.keep_bytes is not None:
            return self.keep_bytes
        disk = os.statvfs(self.scratch_root)
        return min(MOST_BYTES, disk.f_blocks * disk.f_frsize // DISK_SHARE)

    @contextmanager
    def claim(self, key: str, waiting: Waiting) -> Iterator[SetupClaim]:
        """The product of that key, or the task to make it; while inside, others wait for what is made here. Who has
        waited in vain makes it as well.

        Never raises for what is wrong with the store: then the product is made, and not kept.
        """
        claim = SetupClaim(key=key.removeprefix("sha256:"))
        try:
            try:
                self._make_root()
                self._wait(claim, waiting)
            except OSError as error:
                self._release(claim)
                claim.note = f"what is kept of setups cannot be used: {_why(error)}"
            yield claim
        finally:
            self._release(claim)

    def keep(self, claim: SetupClaim, place: Place, inputs: SetupInputs, made_at: str) -> SetupProduct | None:
        """Keep what the place holds as the product that was claimed. The attempt goes on with the product's `path`.

        None where it cannot be kept; the claim's note says why, and the attempt goes on with the place.
        """
        try:
            if claim.making is None:
                self._make_root()
                claim.making = try_lock(self._making(claim), exclusive=True, create=True)
            if claim.making is not None:
                return self._keep(claim, place, inputs, made_at)
            claim.note = "not kept: another evaluation is making the same"
        except OSError as error:
            claim.note = f"not kept: {_why(error)}"
        return None

    def report(self, *, whole: bool = False) -> SetupReport:
        """What the store holds, each product verified by its inodes, with `whole` by every byte. Raises OSError."""
        return kept_setups.report(self.root, whole=whole)

    def remove_all(self) -> RemovedSetups:
        """Remove every product that is not in use, and the locks that killed processes left. Raises OSError."""
        if not self.root.is_dir():
            return RemovedSetups(count=0, bytes=0, in_use=0)
        with self._changing() as trash:
            found = kept_setups.products(self.root)
            gone = [one for one in found if self._take_out(one.folder, trash)]
            self._drop_dead_locks()
        return RemovedSetups(count=len(gone), bytes=sum(one.bytes for one in gone), in_use=len(found) - len(gone))

    def _make_root(self) -> None:
        self.root.mkdir(mode=0o700, exist_ok=True)
        found = self.root.stat(follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(errno.EPERM, "not a directory that only this user can enter", str(self.root))

    def _wait(self, claim: SetupClaim, waiting: Waiting) -> None:
        if self._is_decided(claim):
            return
        claim.waited = True
        deadline = time.monotonic() + waiting.patience_s
        with waiting.around():
            while not self._is_decided(claim) and not waiting.stop() and time.monotonic() < deadline:
                time.sleep(_LOOK_S)

    def _is_decided(self, claim: SetupClaim) -> bool:
        """Whether the attempt has the product, or is the one to make it."""
        self._use(claim)
        if claim.product is None:
            claim.making = try_lock(self._making(claim), exclusive=True, create=True)
            if claim.making is None:
                return False
            self._use(claim)  # another attempt may have kept it between our two looks
        if claim.product is not None:
            self._release(claim)
        return True

    def _use(self, claim: SetupClaim) -> None:
        if self.fresh and claim.key not in self._made:
            return
        for folder in kept_setups.generations(self.root, claim.key):
            held = try_lock(folder / LOCK, exclusive=False)
            if held is None:
                continue
            try:
                os.utime(held)
                claim.product = self._opened(folder, held)
            except Changed:
                claim.note = "what was kept is no longer what it was, and was not used"
            except OSError as error:
                claim.note = f"what was kept cannot be used: {_why(error)}"
            else:
                return
            os.close(held)

    def _opened(self, folder: Path, held: int) -> SetupProduct:
        record = kept_setups.verified(folder)
        if record.form == "tree":
            return SetupProduct(path=folder / CONTENT, record=record, held=held)
        mounted = self.scratch.mounted(folder / CONTENT / IMAGE)
        return SetupProduct(path=mounted.path, record=record, held=held, mounted=mounted)

    def _keep(self, claim: SetupClaim, place: Place, inputs: SetupInputs, made_at: str) -> SetupProduct | None:
        staging, product = self.scratch.plain(), None
        try:
            form = self.scratch.hand_over(place, staging / CONTENT)
            product = self._stored(claim, staging, form, inputs, made_at)
        finally:
            if product is None:
                if not place.path.exists():  # the tree itself was moved
                    (staging / CONTENT).rename(place.path)
                discard(staging)
        if product is not None and form == "image":
            product.path = place.path
        return product

    def _stored(
        self, claim: SetupClaim, staging: Path, form: PlaceForm, inputs: SetupInputs, made_at: str
    ) -> SetupProduct | None:
        """The staged content as a product of the store."""
        size, most = allocated(staging / CONTENT), self.most_bytes
        if size > most:
            claim.note = f"not kept: {size_text(size)}, and at most {size_text(most)} may be kept"
            return None
        kept_setups.sync_content(staging, form)
        record = KeptSetup(
            key=as_digest(claim.key),
            made_at=made_at,
            form=form,
            bytes=size,
            listing=listing(staging / CONTENT),
            content=content(staging / CONTENT),
            inputs=inputs,
        )
        kept_setups.write_record(staging, record)
        held = try_lock(staging / LOCK, exclusive=False, create=True)
        if held is None:
            msg = "another process has locked a file that was just made"
            raise AssertionError(msg)
        try:
            folder = self._publish(claim, staging, size)
        except BaseException:
            os.close(held)
            raise
        if folder is None:
            os.close(held)
            claim.note = "not kept: what is in use leaves no room"
            return None
        self._made.add(claim.key)
        return SetupProduct(path=folder / CONTENT, record=record, held=held)

    def _publish(self, claim: SetupClaim, staging: Path, size: int) -> Path | None:
        """Give the staged product its name. None where products in use leave no room for it."""
        with self._changing() as trash:
            self._drop_dead_locks()
            if not self._make_room(size, claim.key, trash):
                return None
            folder = kept_setups.next_generation(self.root, claim.key)
            staging.rename(folder)
        return folder

    @contextmanager
    def _changing(self) -> Iterator[list[Path]]:
        """While inside, only this caller adds products to the store or removes them. What it puts on the list is
        deleted afterwards, which can take long."""
        trash: list[Path] = []
        lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield trash
        finally:
            os.close(lock)
            for path in trash:
                discard(path)

    def _make_room(self, size: int, key: str, trash: list[Path]) -> bool:
        """Remove what a product of this key replaces, then what was used the longest time ago until there is room."""
        found, most = kept_setups.products(self.root), self.most_bytes
        newest = {one.key: one.generation for one in sorted(found, key=lambda one: one.generation)}
        replaced = [one for one in found if one.key == key or one.generation < newest[one.key]]
        others = sorted((one for one in found if one not in replaced), key=lambda one: one.used_at)
        total, count = sum(one.bytes for one in found) + size, len(found) + 1
        for one in (*replaced, *others):
            if one in others and total <= most and count <= MOST_PRODUCTS:
                break
            if self._take_out(one.folder, trash):
                total, count = total - one.bytes, count - 1
        return total <= most

    def _take_out(self, folder: Path, trash: list[Path]) -> bool:
        """Whether the product could be removed: not while it is in use."""
        held = try_lock(folder / LOCK, exclusive=True, create=True)
        if held is None:
            return False
        try:
            place = self.scratch.plain()
            folder.rename(place)
            trash.append(place)
        finally:
            os.close(held)
        return True

    def _drop_dead_locks(self) -> None:
        """Remove the locks of processes that were killed while they made a product."""
        for lock in self.root.glob("*.lock"):
            held = try_lock(lock, exclusive=True)
            if held is not None:
                lock.unlink()
                os.close(held)

    def _making(self, claim: SetupClaim) -> Path:
        return self.root / f"{claim.key}.lock"

    def _release(self, claim: SetupClaim) -> None:
        """Let others make the product."""
        if claim.making is not None:
            with suppress(OSError):
                self._making(claim).unlink(missing_ok=True)
            os.close(claim.making)
            claim.making = None


def _why(error: OSError) -> str:
    return error.strerror or str(error)
