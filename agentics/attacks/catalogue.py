"""The cases of the suite: files with a header that says what each is, and how it must end. Nothing is run here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from agentics.errors import UsageError

CASES = Path(str(resources.files("agentics.attacks").joinpath("cases")))
INSIDE = CASES / "inside"
"""What is laid beside hostile programs in their containers, and the evaluators that they meet."""

EVALUATED = ("separated", "tight", "files", "piped", "coexecuted", "lies")
"""Groups whose cases are evaluated on the engine: one run for each group."""
COMMANDED = ("archives", "documents", "rundirs", "readers")
"""Groups whose cases are hostile files given to a command of `agentics` on this machine."""

CONDITIONS = frozenset({"runc", "crun", "runsc", "kata", "loop", "tmpfs", "directory", "root", "plain-user"})
"""What can be different between machines: the runtime, the kind of writable places, who evaluates."""
NEEDS = frozenset({"root", "loop", "bounded", "network"})
"""What a case can need of a machine in order to show anything. `bounded`: writable places are file systems."""
_KEYS = frozenset({"ends", "phase", "quick", "needs"})
_PHASES = frozenset({"run", "build", "both"})
_TITLE = re.compile(r"# (?P<numbers>[A-Z]\d+(?:, [A-Z]\d+)*): (?P<title>\S.*)")
_LINE = re.compile(r"# (?P<key>[a-z-]+): (?P<value>\S.*)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a case ends: status, reason and fault of the task; `accepted` or `refused` and the code of a command. A
    reason or fault of None is none; `*` as an expected reason is any."""

    status: str
    reason: str | None = None
    fault: str | None = None

    def __str__(self) -> str:
        return " ".join(word or "-" for word in (self.status, self.reason, self.fault))

    def admits(self, found: Ending) -> bool:
        """Whether an expected ending is this one."""
        same = (self.status, self.fault) == (found.status, found.fault)
        return same and (self.reason == found.reason or (self.reason == "*" and found.reason is not None))


@dataclass(frozen=True, kw_only=True)
class AttackCase:
    """One hostile thing. `otherwise`: its endings where a condition holds, the first one that does counts."""

    group: str
    path: Path
    numbers: tuple[str, ...]
    title: str
    ends: Ending
    otherwise: tuple[tuple[str, Ending], ...] = ()
    phase: str = "run"
    needs: frozenset[str] = frozenset()
    quick: bool = True

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def targets_machine(self) -> bool:
        """Whether it goes for the machine: then an honest solution is evaluated after it."""
        return any(number == "B14" or number[0] in "CD" for number in self.numbers)

    def expected(self, holding: frozenset[str]) -> Ending:
        """How it must end on a machine for which these conditions hold."""
        return next((ending for condition, ending in self.otherwise if condition in holding), self.ends)


@dataclass(frozen=True, kw_only=True)
class ListedAttack:
    """One number of the list that the suite is complete against. `unshown`: why no case shows it, or not all of it."""

    number: str
    title: str
    unshown: str | None


def cases(group: str | None = None, *, full: bool = True) -> list[AttackCase]:
    """All cases, or those of a group; without `full` those of the quick half. Raises ValueError for a wrong header."""
    groups = (group,) if group else (*EVALUATED, *COMMANDED)
    found = [read_case(path) for one in groups for path in sorted((CASES / one).glob("*.py"))]
    return [case for case in found if full or case.quick]


def named(names: Sequence[str]) -> list[AttackCase]:
    """The cases of these names, `group/case`. Raises UsageError for a name that no case has."""
    known = {f"{case.group}/{case.name}": case for case in cases()}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "the table of --attack has the names: GROUP/CASE"
            msg = f"the attack suite has no case {name!r:.100}"
            raise UsageError(msg, code="unknown_case", hint=hint)
    return [case for name, case in known.items() if name in names]


def read_case(path: Path) -> AttackCase:
    """The case of a file. Raises ValueError where its header is not complete, or has an unknown key or value."""
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    named = _TITLE.fullmatch(first)
    if named is None or _NAME.fullmatch(path.stem) is None:
        msg = f"{path}: the first line of a case is `# <letter><number>[, …]: <title>`, and its name a Python name"
        raise ValueError(msg)
    header: dict[str, str] = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            break
        header[found["key"]] = found["value"]
    _check(path, header)
    return AttackCase(
        group=path.parent.name,
        path=path,
        numbers=tuple(named["numbers"].split(", ")),
        title=named["title"],
        ends=_ending(header["ends"]),
        otherwise=tuple((key, _ending(value)) for key, value in header.items() if key in CONDITIONS),
        phase=header.get("phase", "run"),
        needs=frozenset(header.get("needs", "").split()),
        quick=header.get("quick", "yes") == "yes",
    )


def listed() -> list[ListedAttack]:
    """Every number of the list, in its order."""
    rows = tomllib.loads((CASES / "numbers.toml").read_text(encoding="utf-8"))
    return [ListedAttack(number=number, title=row["title"], unshown=row.get("unshown")) for number, row in rows.items()]


def _check(path: Path, header: Mapping[str, str]) -> None:
    wrong = [f"the key {key!r} is not known" for key in header if key not in _KEYS | CONDITIONS]
    if "ends" not in header:
        wrong.append("`ends` is missing")
    endings = [value for key, value in header.items() if key == "ends" or key in CONDITIONS]
    wrong += [f"{value!r} is not `status reason fault`" for value in endings if len(value.split()) != 3]  # noqa: PLR2004
    wrong += [f"it needs {word!r}, which is not known" for word in header.get("needs", "").split() if word not in NEEDS]
    if header.get("phase", "run") not in _PHASES:
        wrong.append(f"the phase {header['phase']!r} is not known")
    if header.get("quick", "yes") not in ("yes", "no"):
        wrong.append("`quick` is yes or no")
    if wrong:
        msg = f"{path}: {'; '.join(wrong)}"
        raise ValueError(msg)


def _ending(text: str) -> Ending:
    status, reason, fault = (None if word == "-" else word for word in text.split())
    return Ending(status=status or "-", reason=reason, fault=fault)
