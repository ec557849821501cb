"""The system calls that a container may make, as the engine wants to hear them. The list itself is seccomp.json."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

_ARCHITECTURES = {
    "amd64": ("SCMP_ARCH_X86_64", ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
    "arm64": ("SCMP_ARCH_AARCH64", ["SCMP_ARCH_ARM"]),
    "riscv64": ("SCMP_ARCH_RISCV64", []),
    "ppc64le": ("SCMP_ARCH_PPC64LE", []),
}
_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_SUCH_CALL = 38
_NAMESPACE_FLAGS = 0x7E020000
_FAMILY = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16}
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)


def known(machine: str) -> bool:
    """Whether there is a profile for this architecture; without one the engine's default stays."""
    return _NAMES.get(machine, machine) in _ARCHITECTURES


@cache
def profile(machine: str, *, foreign_abis: bool = False) -> str:
    """The profile as JSON text. `foreign_abis` adds the 32-bit ABIs of the machine, for 32-bit programs."""
    name = _NAMES.get(machine, machine)
    native, foreign = _ARCHITECTURES[name]
    listed = json.loads((files("agentics.sandbox") / "seccomp.json").read_text(encoding="utf-8"))
    names = [call for group in listed["allowed"] for call in group["calls"]]
    names += [call for group in listed["machine"].get(name, []) for call in group["calls"]]
    if foreign_abis:
        names += [call for group in listed["foreign"] for call in group["calls"]]
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [{"architecture": native, "subArchitectures": foreign if foreign_abis else []}],
        "syscalls": [_allow(sorted(set(names))), *_conditional()],
    }
    return json.dumps(document, separators=(",", ":"))


def _conditional() -> list[dict[str, Any]]:
    """Calls whose arguments decide."""
    # One rule for each family that is allowed: what is not named (AF_VSOCK, AF_ALG, AF_PACKET, …) stays refused.
    sockets = [_allow(["socket"], _argument(0, family, "SCMP_CMP_EQ")) for family in _FAMILY.values()]
    personalities = [_allow(["personality"], _argument(0, value, "SCMP_CMP_EQ")) for value in _PERSONALITIES]
    no_namespaces = {"index": 0, "value": _NAMESPACE_FLAGS, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    # clone3 hides its flags behind a pointer: "no such call" makes libc fall back to clone, where they show.
    clone3 = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _NO_SUCH_CALL}
    return [*sockets, *personalities, _allow(["clone"], no_namespaces), clone3]


def _allow(names: list[str], *arguments: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ALLOW", "args": list(arguments)}


def _argument(index: int, value: int, operator: str) -> dict[str, Any]:
    return {"index": index, "value": value, "op": operator}
