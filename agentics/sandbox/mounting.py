"""The kernel's mount and loop-device calls, without a process for each. Linux, and root, only."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LOOP_CONFIG_BYTES = 304
_LO_FLAGS = slice(60, 64)  # lo_flags of struct loop_info64, in struct loop_config
_LO_FLAGS_READ_ONLY, _LO_FLAGS_AUTOCLEAR = 1, 4
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_NOATIME = 1, 2, 4, 32, 1024
_MNT_DETACH = 2
_FITRIM = 0xC0185879
_FSTRIM_RANGE = struct.Struct("=QQQ")  # struct fstrim_range: start, length, least extent
_TRIES = 64
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str, options: str, *, read_only: bool = False) -> None:
    """Raises OSError."""
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOATIME | (_MS_RDONLY if read_only else 0)
    words = (source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode())
    if _libc.mount(*words) != 0:
        _raise(str(target))


def make_read_only(target: Path) -> None:
    """Let nobody write to the mounted file system any more, through whatever mount of it; what was written is in its
    backing file or device then. Raises OSError, EBUSY while a file is open for writing."""
    flags = _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOATIME
    if _libc.mount(None, os.fsencode(target), None, ctypes.c_ulong(flags), None) != 0:
        _raise(str(target))


def trim(target: Path) -> None:
    """Give the blocks that the mounted file system does not use back to what it lies on. Raises OSError."""
    descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _FITRIM, _FSTRIM_RANGE.pack(0, (1 << 64) - 1, 0))
    finally:
        os.close(descriptor)


def unmount(target: Path) -> None:
    """At once for us, later for whoever still uses it. Raises OSError."""
    if _libc.umount2(os.fsencode(target), _MNT_DETACH) != 0:
        _raise(str(target))


def mount_loop(image: Path, target: Path, kind: str, options: str, *, read_only: bool = False) -> None:
    """Mount a file; its loop device goes by itself with the last use. Raises OSError."""
    backing = os.open(image, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC)
    try:
        device, descriptor = _loop(backing, read_only=read_only)
        try:
            mount(device, target, kind, options, read_only=read_only)
        finally:
            os.close(descriptor)
    finally:
        os.close(backing)


def sync_file_system(path: Path) -> None:
    """Make everything durable that was written to the file system of this directory. Raises OSError."""
    if not hasattr(_libc, "syncfs"):  # only Linux has it
        os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            _raise(str(path))
    finally:
        os.close(descriptor)


def mounts_below(root: Path) -> list[Path]:
    """Deepest first."""
    prefix = f"{root}/"
    found = []
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            where = line.split(" ")[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
            if where.startswith(prefix):
                found.append(Path(where))
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def _loop(backing: int, *, read_only: bool) -> tuple[str, int]:
    """A loop device on that file, open: closed without a mount, it frees itself."""
    flags = _LO_FLAGS_AUTOCLEAR | (_LO_FLAGS_READ_ONLY if read_only else 0)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_TRIES):
            device = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
            descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            config = bytearray(_LOOP_CONFIG_BYTES)
            config[0:4] = backing.to_bytes(4, sys.byteorder)
            config[_LO_FLAGS] = flags.to_bytes(4, sys.byteorder)
            try:
                fcntl.ioctl(descriptor, _LOOP_CONFIGURE, bytes(config))
            except OSError as error:
                os.close(descriptor)
                if error.errno != errno.EBUSY:  # somebody else took this number
                    raise
            else:
                return device, descriptor
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "no free loop device")


def _raise(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), what)
