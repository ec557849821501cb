"""Locks on files that come and go: never one on a file that nobody else can find."""

from __future__ import annotations

import fcntl
import os

import pytest

from agentics.sandbox.filelock import try_lock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def test_many_share_a_lock_or_one_has_it(path):
    one = try_lock(path, exclusive=False, create=True)
    other = try_lock(path, exclusive=False)
    assert try_lock(path, exclusive=True) is None
    os.close(one)
    assert try_lock(path, exclusive=True) is None
    os.close(other)
    alone = try_lock(path, exclusive=True)
    assert try_lock(path, exclusive=False) is None
    os.close(alone)


def test_a_file_that_is_not_there_is_made_only_when_it_is_asked_for(path):
    assert try_lock(path, exclusive=True) is None
    assert not path.exists()
    os.close(try_lock(path, exclusive=True, create=True))
    assert path.exists()


@pytest.mark.parametrize("again", [True, False])
def test_a_file_that_was_removed_before_it_was_locked_is_not_the_one(path, monkeypatch, again):
    usual = fcntl.flock

    def flock(held, how):
        # Whoever had the lock has removed the file, and perhaps another one has made it anew.
        monkeypatch.undo()
        path.unlink()
        if again:
            path.touch()
        usual(held, how)

    path.touch()
    monkeypatch.setattr(fcntl, "flock", flock)
    held = try_lock(path, exclusive=True)
    assert (held is not None) is again
    if held is not None:
        assert os.path.samestat(os.fstat(held), path.stat())
        os.close(held)


def test_a_link_is_no_lock(path, tmp_path):
    (tmp_path / "elsewhere").touch()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        try_lock(path, exclusive=True, create=True)
