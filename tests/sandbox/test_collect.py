"""What a container left, taken by somebody who trusts none of it."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentics.sandbox.collect import BOUNDLESS, Caps, collect, make_readable, make_writable, usage

CAPS = Caps(files=20, dirs=10, depth=4, bytes=1000)


@pytest.fixture
def left(tmp_path):
    made = tmp_path / "left"
    made.mkdir()
    return made


@pytest.fixture
def taken(tmp_path):
    return tmp_path / "taken"


def refused(left, taken, kind, caps=CAPS, **more):
    """Collecting ends in this violation, and shows nothing."""
    found = collect(left, taken, caps, **more)
    assert found.violation is not None
    assert found.violation.kind == kind
    assert found.files == ()
    assert list(taken.iterdir()) == []
    assert str(left.parent) not in found.violation.detail


def test_files_come_with_size_digest_and_mode(left, taken):
    (left / "output").mkdir()
    (left / "output/answer.txt").write_bytes(b"42\n")
    (left / "tool").write_bytes(b"#!/bin/sh\n")
    (left / "tool").chmod(0o4755)
    (left / "empty").touch(mode=0)
    found = collect(left, taken, CAPS)
    assert found.violation is None
    assert [(one.path, one.size, one.executable) for one in found.files] == [
        ("empty", 0, False),
        ("output/answer.txt", 3, False),
        ("tool", 10, True),
    ]
    assert found.files[1].sha256 == hashlib.sha256(b"42\n").hexdigest()
    assert (taken / "output/answer.txt").read_bytes() == b"42\n"
    assert stat.S_IMODE((taken / "tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((taken / "output/answer.txt").stat().st_mode) == 0o644
    assert stat.S_IMODE((taken / "output").stat().st_mode) == 0o755


def test_an_empty_tree_is_fine(left, taken):
    assert collect(left, taken, CAPS) == collect(left, taken, CAPS)


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "nowhere", "."])
def test_a_symbolic_link_is_a_violation_and_never_followed(left, taken, target):
    (left.parent / "secret").write_text("canary")
    (left / "result").symlink_to(target)
    refused(left, taken, "link")


def test_a_linked_directory_is_a_violation(left, taken):
    (left / "output").symlink_to(left.parent, target_is_directory=True)
    refused(left, taken, "link")


def test_special_files_are_violations_and_block_nobody(left, taken):
    os.mkfifo(left / "pipe")
    refused(left, taken, "special_file")
    (left / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(left / "sock"))
        refused(left, taken, "special_file")


@pytest.mark.skipif(os.geteuid() != 0, reason="making a device needs root")
def test_a_device_is_a_violation(left, taken):
    os.mknod(left / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    refused(left, taken, "special_file")


def test_the_caps_hold_exactly(left, taken):
    for number in range(20):
        (left / f"f{number}").touch()
    for number in range(9):
        (left / f"d{number}").mkdir()
    assert collect(left, taken, CAPS).violation is None


def test_one_file_too_many(left, taken):
    for number in range(21):
        (left / f"f{number}").touch()
    refused(left, taken, "too_many_files")


def test_one_directory_too_many(left, taken):
    for number in range(10):
        (left / f"d{number}").mkdir()
    refused(left, taken, "too_many_dirs")


def test_one_level_too_deep(left, taken):
    deep = left / "a/b/c/d"
    deep.mkdir(parents=True)
    assert collect(left, taken.with_name("first"), CAPS).violation is None
    (deep / "e").mkdir()
    refused(left, taken, "too_deep")


def test_a_hundred_thousand_names_are_not_even_listed(left, taken):
    for number in range(2000):
        (left / f"{number}").touch()
    refused(left, taken, "too_many_files", Caps(files=5, dirs=5))


def test_one_byte_too_many(left, taken):
    (left / "a").write_bytes(b"x" * 600)
    (left / "b").write_bytes(b"x" * 400)
    assert collect(left, taken.with_name("first"), CAPS).violation is None
    (left / "c").write_bytes(b"x")
    refused(left, taken, "too_many_bytes")


def test_a_sparse_file_counts_in_full(left, taken):
    with (left / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    refused(left, taken, "too_many_bytes")


def test_a_hard_link_counts_as_often_as_it_is_named(left, taken):
    (left / "a").write_bytes(b"x" * 600)
    os.link(left / "a", left / "b")
    refused(left, taken, "too_many_bytes")


@pytest.mark.parametrize(("names", "kind"), [(CAPS.files, None), (CAPS.files + 1, "link")])
def test_a_file_that_has_more_names_than_a_tree_may_have_files_is_refused(left, taken, tmp_path, names, kind):
    (left / "a").write_bytes(b"x")
    for number in range(names - 1):
        os.link(left / "a", tmp_path / f"outside-{number}")
    if kind is not None:
        refused(left, taken, kind)
    else:
        assert [file.path for file in collect(left, taken, CAPS).files] == ["a"]


@pytest.mark.parametrize("name", [b"\xff\xfe", b"new\nline", b"esc\x1b[31m", b"back\\slash", "r\u202etl".encode()])
def test_a_name_that_deceives_is_a_violation(left, taken, name):
    os.close(os.open(os.fsencode(left) + b"/" + name, os.O_CREAT | os.O_WRONLY))
    found = collect(left, taken, CAPS)
    assert found.violation is not None
    assert found.violation.kind == "bad_name"
    assert found.violation.detail.isprintable()
    assert found.violation.detail.isascii()


def test_ordinary_names_of_other_languages_are_fine(left, taken):
    (left / "Größe 日本.txt").touch()
    assert collect(left, taken, CAPS).violation is None


def test_reserved_names_are_refused_at_the_top_only(left, taken):
    (left / "output").mkdir()
    (left / "output/agentics-run.json").touch()
    assert collect(left, taken, CAPS, reserved=frozenset({"agentics-run.json"})).violation is None
    (left / "agentics-run.json").mkdir()
    refused(left, taken, "reserved_name", reserved=frozenset({"agentics-run.json"}))


def test_a_directory_that_becomes_a_link_while_it_is_read_leads_nowhere(left, taken, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "canary").write_text("canary")
    (left / "d").mkdir()
    (left / "d/canary").write_text("own")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            try:
                (left / "d").rename(left.parent / "aside")
                (left / "d").symlink_to(secret)
                (left / "d").unlink()
                (left.parent / "aside").rename(left / "d")
            except OSError:
                return

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        for number in range(200):
            out = tmp_path / f"out{number}"
            collect(left, out, CAPS)
            found = [file.read_text() for file in out.rglob("canary")]
            assert "canary" not in found
    finally:
        stop.set()
        racer.join()


def test_a_file_that_grows_while_it_is_read_ends_at_the_cap(left, taken):
    stop = threading.Event()
    path = left / "growing"
    path.touch()

    def grow():
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x" * 4096)
                if file.tell() > 50_000_000:
                    return

    grower = threading.Thread(target=grow)
    grower.start()
    try:
        found = collect(left, taken, Caps(bytes=100_000))
        assert found.violation is not None or found.files[0].size <= 100_000
    finally:
        stop.set()
        grower.join()


names = st.sampled_from(["a", "b", "link", "pipe", "x" * 200])


def fresh(path, size):
    with path.open("xb") as file:
        file.write(b"x" * size)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(
        st.tuples(st.lists(names, min_size=1, max_size=6), st.sampled_from("fdlp"), st.integers(0, 400)), max_size=25
    )
)
def test_whatever_a_tree_holds_it_is_taken_whole_or_not_at_all(tmp_path_factory, entries):
    base = tmp_path_factory.mktemp("any")
    left, out, elsewhere = base / "left", base / "out", base / "elsewhere"
    left.mkdir()
    elsewhere.mkdir()
    for parts, kind, size in entries:
        path = left.joinpath(*parts)
        # Nothing is laid through a link, nor over what is there: writing to a FIFO would wait for ever.
        if os.path.lexists(path) or path.parent.resolve() != path.parent:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            {
                "f": lambda p=path, s=size: fresh(p, s),
                "d": path.mkdir,
                "l": lambda p=path: p.symlink_to(elsewhere),
                "p": lambda p=path: os.mkfifo(p),
            }[kind]()
        except OSError:
            continue
    found = collect(left, out, CAPS)
    copied = {str(p.relative_to(out)): p.stat().st_size for p in out.rglob("*") if p.is_file()}
    if found.violation is not None:
        assert (found.files, copied, list(out.iterdir())) == ((), {}, [])
    else:
        assert copied == {one.path: one.size for one in found.files}
        assert sum(copied.values()) <= CAPS.bytes
        assert not any(p.is_symlink() for p in left.rglob("*"))


def test_usage_counts_without_following(left):
    (left / "a").write_bytes(b"x" * 10_000)
    (left / "d").mkdir()
    (left / "d/link").symlink_to("/")
    size, inodes = usage(left)
    assert 10_000 <= size < 20_000
    assert inodes == 4


def test_a_tree_too_deep_to_look_at_counts_as_boundless(left):
    here = os.open(left, os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d" * 50, dir_fd=here)
        inner = os.open("d" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert usage(left) == (BOUNDLESS, BOUNDLESS)
    make_readable(left)
    make_writable(left)


def test_what_is_mounted_read_only_can_be_read_and_run_but_not_through_links(left, tmp_path):
    outside = tmp_path / "outside"
    outside.touch(mode=0o600)
    (left / "d").mkdir()
    (left / "d/script").touch()
    (left / "d/script").chmod(0o4100)
    (left / "d/data").touch()
    (left / "d/data").chmod(0)
    (left / "d/link").symlink_to(outside)
    (left / "d").chmod(0)
    make_readable(left)
    modes = {name: stat.S_IMODE((left / name).lstat().st_mode) for name in ("d", "d/script", "d/data")}
    assert modes == {"d": 0o755, "d/script": 0o755, "d/data": 0o644}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600


def test_what_is_mounted_writable_belongs_to_its_user(left, tmp_path):
    outside = tmp_path / "outside"
    outside.touch(mode=0o600)
    (left / "file").touch(mode=0o600)
    (left / "link").symlink_to(outside)
    make_writable(left, uid=65_532)
    assert stat.S_IMODE((left / "file").stat().st_mode) == 0o666
    assert stat.S_IMODE(left.stat().st_mode) == 0o777
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600
    assert outside.stat().st_uid == os.geteuid()
    if os.geteuid() == 0:
        assert (left / "file").stat().st_uid == 65_532
