# D40, D43, D44, D45: system calls that no solution needs, and address families that lead out
# ends: passed - -
import ctypes
import mmap
import os
import platform
import signal
import socket

import honest

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NEWNS, NEWUSER, NEWPID, NEWNET, NEWCGROUP = 0x20000, 0x10000000, 0x20000000, 0x40000000, 0x02000000
X86 = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "mount": 165, "umount2": 166, "unshare": 272,
    "setns": 308, "pivot_root": 155, "chroot": 161, "keyctl": 250, "add_key": 248, "request_key": 249,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 323, "bpf": 321,
    "perf_event_open": 298, "kexec_load": 246, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "open_by_handle_at": 304, "name_to_handle_at": 303, "personality": 135, "quotactl": 179, "swapon": 167,
    "reboot": 169, "settimeofday": 164, "clock_settime": 227, "acct": 163, "sethostname": 170,
    "fanotify_init": 300, "lookup_dcookie": 212, "memfd_secret": 447, "fsopen": 430, "open_tree": 428,
    "move_mount": 429, "mount_setattr": 442, "syslog": 103, "iopl": 172, "ioperm": 173, "kcmp": 312, "vhangup": 153,
    "nfsservctl": 180, "migrate_pages": 256, "move_pages": 279, "uselib": 134, "ustat": 136, "sysfs": 139,
}  # fmt: skip
ARM = {
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "mount": 40, "umount2": 39, "unshare": 97,
    "setns": 268, "pivot_root": 41, "chroot": 51, "keyctl": 219, "add_key": 217, "request_key": 218,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 282, "bpf": 280,
    "perf_event_open": 241, "open_by_handle_at": 265, "name_to_handle_at": 264, "personality": 92, "syslog": 116,
    "fanotify_init": 262, "fsopen": 430, "open_tree": 428, "move_mount": 429, "mount_setattr": 442,
}  # fmt: skip
CALLS = {"x86_64": X86, "aarch64": ARM}[platform.machine()]
READABLE = ctypes.create_string_buffer(4096)
ARGUMENTS = {
    "ptrace": (0, 0, 0, 0),
    "unshare": (NEWUSER,),
    "personality": (0x0040000,),
    "keyctl": (0, -3, 1),
    "add_key": (b"user", b"mine", b"x", 1, -3),
    "io_uring_setup": (4, READABLE),
    "userfaultfd": (1,),
    "process_vm_readv": (os.getpid(), READABLE, 0, READABLE, 0, 0),
    "process_vm_writev": (os.getpid(), READABLE, 0, READABLE, 0, 0),
    "name_to_handle_at": (-100, b"/", READABLE, READABLE, 0),
    "kcmp": (os.getpid(), os.getpid(), 0, 0, 0),
    "syslog": (3, READABLE, 4096),
    "clock_settime": (0, None),
    "perf_event_open": (READABLE, 0, -1, -1, 0),
    "bpf": (0, READABLE, 128),
    "memfd_secret": (0,),
    "setns": (os.open("/proc/self/ns/net", os.O_RDONLY), 0),
}
REFUSED = {1: "EPERM", 38: "ENOSYS"}  # any other answer means that the kernel looked at it


def call(name):
    ctypes.set_errno(0)
    result = libc.syscall(CALLS[name], *ARGUMENTS.get(name, (0, 0, 0, 0, 0)))
    return None if result == -1 and ctypes.get_errno() in REFUSED else f"{name}: {result}, errno {ctypes.get_errno()}"


def in_a_child(attempt):
    """What a child says that makes the attempt; nothing when it is killed for it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(3)
        os.write(writing, (attempt() or "").encode())
        os._exit(0)
    os.close(writing)
    said = os.read(reading, 4096).decode()
    os.waitpid(pid, 0)
    return said


def foreign_abi():
    """getpid of the 32-bit ABI by its own gate. Being killed for it is the expected answer."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return f"int 0x80 gave {result}" if result >= 0 else None


def namespaced(flag):
    result = libc.syscall(56 if platform.machine() == "x86_64" else 220, flag | signal.SIGCHLD, 0, 0, 0, 0)
    if result == 0:
        os._exit(0)
    return f"clone {flag:#x} gave {result}" if result > 0 else None


problems = [in_a_child(lambda n=name: call(n)) for name in CALLS]
problems += [in_a_child(lambda f=flag: namespaced(f)) for flag in (NEWNS, NEWUSER, NEWPID, NEWNET, NEWCGROUP)]
if platform.machine() == "x86_64":
    problems.append(in_a_child(foreign_abi))
    problems.append(in_a_child(lambda: "x32 getpid" if libc.syscall(39 | 0x40000000) > 0 else None))
for family in (40, 38, 17, 15, 21, 29, 31, 39, 44):  # VSOCK, ALG, PACKET, KEY, RDS, CAN, BLUETOOTH, NFC, XDP
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        problems += honest.refused(f"family {family}", lambda f=family, k=kind: socket.socket(f, k))
if libc.ioctl(0, 0x5412, b"x") == 0:
    problems.append("TIOCSTI")
honest.answer_unless([each for each in problems if each])
