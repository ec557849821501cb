"""A store of setups with products that are quick to make, for tests of the store and of processes that die in it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agentics.model.evidence.setup_record import SetupInputs
from agentics.model.plan.trial_plan import ContainerPlan, StageLimits
from agentics.sandbox.fingerprint import content
from agentics.sandbox.kept_setups import products
from agentics.sandbox.places import Scratch
from agentics.sandbox.setups import SetupClaim, SetupProduct, SetupStore, Waiting

MIB = 1 << 20
KEY = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
MADE_AT = "2026-01-01T00:00:00.000000Z"
KINDS = ["loop", "tmpfs", "directory"] if os.geteuid() == 0 else ["directory"]
AT_ONCE = Waiting(patience_s=0)
LIMITS = StageLimits(
    timeout_sec=20, memory_limit_mb=64, cpu_limit_millis=1000, disk_limit_mb=16, network_access="disabled"
)
INPUTS = SetupInputs(
    version=1,
    agentics_version="1",
    bundle_digest="sha256:1",
    overlay_digests=(),
    challenge_digest="sha256:2",
    target="linux",
    mode="official",
    container=ContainerPlan(
        role="challenge-setup",
        image="evaluator",
        user="evaluator",
        argv=("true",),
        cwd="/challenge",
        env={},
        mounts=(),
        limits=LIMITS,
    ),
    manifest_file=None,
    image_id="sha256:3",
    relaxed=(),
    user="1:1",
    runtime=None,
    network=None,
)


def leave(root: Path) -> None:
    """What a setup leaves: one of everything, with times that no copy has by chance."""
    (root / "env/bin").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "env/bin/python").symlink_to("/usr/bin/python3")
    (root / "env/bin/tool").write_bytes(b"#!/bin/sh\n")
    (root / "env/bin/tool").chmod(0o755)
    (root / "cached").hardlink_to(root / "env/bin/tool")
    (root / os.fsdecode(b"\xff")).write_bytes(b"no UTF-8")
    with (root / "sparse").open("wb") as file:
        file.seek(4 << 20)
        file.write(b"end")
    os.utime(root / "env/bin/tool", ns=(1, 1_234_567_890_123_456_789))
    os.utime(root / "env", ns=(1, 1_000_000_000_000_000_001))


def made(
    store: SetupStore, claim: SetupClaim, fill: Callable[[Path], object] = leave, size: int = 16 * MIB
) -> tuple[SetupProduct | None, str]:
    """Make and keep what was claimed: the product, and the fingerprint of what the setup left."""
    place = store.scratch.bounded(size)
    fill(place.path)
    left = content(place.path)
    return store.keep(claim, place, INPUTS, MADE_AT), left


def make_and_use(root: Path, kind: str, key: str = KEY) -> str:
    """What an evaluation does, from its scratch directory to its end: the fingerprint of what it had at /setup."""
    with Scratch(root, kind) as scratch:
        store = SetupStore(scratch_root=root, scratch=scratch)
        with store.claim(key, Waiting(patience_s=60)) as claim:
            product = claim.product
            if product is None:
                product, _ = made(store, claim)
        if product is None:
            raise AssertionError(claim.note)
        seen = content(product.path)
        product.close(scratch)
        return seen


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def open_store(tmp_path):
    """A store as one evaluation has it; several at a time are several evaluations of one process."""

    @contextmanager
    def opened(kind="directory", **more):
        with Scratch(tmp_path, kind) as scratch:
            yield SetupStore(scratch_root=tmp_path, scratch=scratch, **more)

    return opened


def keep(store, key=KEY, fill=leave):
    """Make and keep a product, and end."""
    with store.claim(key, AT_ONCE) as claim:
        assert claim.product is None
        product, left = made(store, claim, fill)
    assert product is not None, claim.note
    product.close(store.scratch)
    return left


def is_there(store, key=KEY):
    with store.claim(key, AT_ONCE) as claim:
        if claim.product is not None:
            claim.product.close(store.scratch)
        return claim.product is not None


def kept_tree(store) -> Path:
    """The content of the only product, where it is a plain tree."""
    (product,) = products(store.root)
    return product.folder / "content"


def fill_up(path):
    """Leave no room on the file system of this new file."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def of_size(count):
    return lambda root: (root / "data").write_bytes(os.urandom(count))
