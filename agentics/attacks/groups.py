"""The bundle of each group of evaluated cases, with its private data, and the solutions that are evaluated on it.

Canaries begin with CANARY: in private data, in the evaluator, in names of official cases, in a neighbour's workspace.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentics.attacks.catalogue import INSIDE, AttackCase
from agentics.attacks.material import (
    FOLDERS,
    RUN,
    bundle,
    coexecuted,
    lay,
    piped,
    profile,
    separated,
    solution,
    spec,
    stage,
)

CANARY = "cnry"
HONEST = "honest"
FINE_LIE = 0.5
"""The score of the one correct result in the group `lies`."""
_NAMES = (f"{CANARY}case-first", f"{CANARY}case-second")
_QUESTIONS = ({"n": 21, "token": "token-a"}, {"n": 4, "token": "token-b"})
_RIGHT = dict(zip(_NAMES, (42, 8), strict=True))
_PATIENCE_S = {"tight": 1, "files": 5, "lies": 10}
"""How long a case of a separated evaluator may take, in seconds."""


@dataclass(frozen=True, kw_only=True)
class AttackGroup:
    """What one evaluation is asked for. `solutions`: in the order in which they are evaluated."""

    bundle: Path
    overlay: Path
    solutions: dict[str, Path]


def lay_group(name: str, cases: Sequence[AttackCase], root: Path) -> AttackGroup:
    """Write the group's bundle, its overlay and its solutions below `root`."""
    made, private = lay_bundle(name, root)
    return AttackGroup(bundle=made, overlay=private, solutions=_solutions(name, cases, root / "solutions"))


def lay_bundle(name: str, root: Path, *, patience_s: int | None = None) -> tuple[Path, Path]:
    """The bundle of a group, and its overlay. `patience_s`: a limit for each phase in place of the group's own; the
    bundle asks once then."""
    match name:
        case "piped":
            return _piped(root, patience_s)
        case "coexecuted":
            return _coexecuted(root, patience_s)
        case _:
            return _separated(root, name, patience_s)


def lay_case(root: Path, case: AttackCase) -> Path:
    """The solution that is this case."""
    text = case.path.read_text(encoding="utf-8")
    own = {"honest.py": (INSIDE / "honest.py").read_text(encoding="utf-8")}
    match case.phase:
        case "build":
            files = {**own, "main.py": "import honest\nhonest.answer()\n", "attack.py": text}
            return solution(root, files, build="exec python3 -B attack.py\n")
        case "both":
            return solution(root, {**own, "main.py": text}, build="exec python3 -B main.py\n")
        case _:
            return solution(root, {**own, "main.py": text})


def honest_after(case: AttackCase) -> str:
    """The variant of the honest solution that is evaluated after a case that goes for the machine."""
    return f"{HONEST}-after-{case.name}"


def _solutions(name: str, cases: Sequence[AttackCase], root: Path) -> dict[str, Path]:
    if name == "lies":
        return {case.name: solution(root / case.name, {"run.sh": f"echo {case.name}\n"}) for case in cases}
    call = "converse" if name == "piped" else "answer"
    main = f"# {CANARY}neighbour\nimport honest\nhonest.{call}()\n"
    own = {"honest.py": (INSIDE / "honest.py").read_text(encoding="utf-8"), "main.py": main}
    honest = solution(root / HONEST, own)
    made = {HONEST: honest}
    for case in cases:
        made[case.name] = lay_case(root / case.name, case)
        if case.targets_machine:
            made[honest_after(case)] = honest
    return made


def _evaluator(name: str) -> str:
    return f"# {CANARY}evaluator\n{(INSIDE / 'evaluators' / f'{name}.py').read_text(encoding='utf-8')}"


def _overlay(root: Path, files: dict[str, Any]) -> Path:
    return lay(root, {f"private-benchmark/{name}": content for name, content in files.items()})


def _separated(root: Path, name: str, patience_s: int | None) -> tuple[Path, Path]:
    execution = separated(official_runs="private-benchmark/runs.json")
    resources = profile(stage(patience_s or _PATIENCE_S.get(name, 10)), stage(20))
    runs = _file_runs() if name == "files" else _stdio_runs()
    if patience_s is not None:
        resources["solution"] |= {"setup": stage(patience_s), "build": stage(patience_s, 512)}
        runs["runs"] = runs["runs"][:1]
    document = spec(f"hostile-{name}", execution, resources)
    private = {"runs.json": runs, "answers.json": {**_RIGHT, "secret": f"{CANARY}answer"}}
    public: dict[str, Any] = {"public/runs.json": runs, "public/answers.json": _RIGHT}
    if name == "lies":
        runs["runs"] = runs["runs"][:1]
        folder = FOLDERS["separated_evaluator"]
        public[f"{folder}/lying.py"] = (INSIDE / "lying.py").read_text(encoding="utf-8")
        lies = (INSIDE.parent / "lies").glob("*.py")
        public.update({f"public/lies/{path.name}": path.read_text(encoding="utf-8") for path in lies})
    kind = name if name == "lies" else "separated"
    return bundle(root, document, _evaluator(kind), public), _overlay(root / f"{name}-overlay", private)


def _stdio_runs() -> dict[str, Any]:
    pairs = zip(_NAMES, _QUESTIONS, strict=True)
    return {"runs": [{**RUN, "run_name": name, "interface": "stdio", "stdin_json": asked} for name, asked in pairs]}


def _file_runs() -> dict[str, Any]:
    runs = []
    for name, asked in zip(_NAMES, _QUESTIONS, strict=True):
        files = [{"path": "deep/question.json", "content": json.dumps(asked)}]
        runs.append({**RUN, "run_name": name, "interface": "file_system", "input_files": files})
    return {"runs": runs}


def _piped(root: Path, patience_s: int | None) -> tuple[Path, Path]:
    execution = piped(official_session="private-benchmark/session.json")
    document = spec("hostile-piped", execution, profile(stage(patience_s or 12), stage(60)))
    session = {"session_name": f"{CANARY}session", "input_files": None, "metadata": {"padding": 100_000}}
    answers = {"numbers": [21] if patience_s else [21, 4, 7], "secret": f"{CANARY}answer"}
    public = {"public/session.json": session, "public/answers.json": answers}
    private = {"session.json": session, "answers.json": answers}
    return bundle(root, document, _evaluator("piped"), public), _overlay(root / "piped-overlay", private)


def _coexecuted(root: Path, patience_s: int | None) -> tuple[Path, Path]:
    document = spec("hostile-coexecuted", coexecuted(), profile(None, stage(120, 512)))
    numbers = [21] if patience_s else [21, 4]
    answers = {"numbers": numbers, "patience_s": patience_s or 8, "secret": f"{CANARY}answer"}
    made = bundle(root, document, _evaluator("coexecuted"), {"public/answers.json": answers})
    return made, _overlay(root / "coexecuted-overlay", {"answers.json": answers})
