"""Bundles of each topology, and one evaluation of all the hostile programs for each of them."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from agentics import config as configuration
from agentics.config import RelaxRule
from tests.hostile import lies, runs
from tests.hostile.material import (
    INSIDE,
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

NAMES = ("cnrycase-first", "cnrycase-second")
QUESTIONS = ({"n": 21, "token": "token-a"}, {"n": 4, "token": "token-b"})
RIGHT = dict(zip(NAMES, (42, 8), strict=True))


def evaluator(name: str) -> str:
    return f"# cnryevaluator\n{(INSIDE / 'evaluators' / f'{name}.py').read_text()}"


def stdio_runs() -> dict:
    pairs = zip(NAMES, QUESTIONS, strict=True)
    return {"runs": [{**RUN, "run_name": name, "interface": "stdio", "stdin_json": asked} for name, asked in pairs]}


def file_runs() -> dict:
    def files(asked):
        return [{"path": "deep/question.json", "content": json.dumps(asked)}]

    pairs = zip(NAMES, QUESTIONS, strict=True)
    return {
        "runs": [{**RUN, "run_name": name, "interface": "file_system", "input_files": files(q)} for name, q in pairs]
    }


def overlay(root: Path, files: dict) -> Path:
    return lay(root, {f"private-benchmark/{name}": content for name, content in files.items()})


def make_separated(root: Path, name: str, manifest: dict, timeout: int) -> tuple[Path, Path]:
    document = spec(name, separated(official_runs="private-benchmark/runs.json"), profile(stage(timeout), stage(20)))
    public = {"public/runs.json": manifest, "public/answers.json": RIGHT}
    private = {"runs.json": manifest, "answers.json": {**RIGHT, "secret": "cnryanswer"}}
    return bundle(root, document, evaluator("separated"), public), overlay(root / f"{name}-overlay", private)


def make_piped(root: Path) -> tuple[Path, Path]:
    document = spec(
        "hostile-piped", piped(official_session="private-benchmark/session.json"), profile(stage(4), stage(60))
    )
    session = {"session_name": "cnrysession", "input_files": None, "metadata": {"padding": 100_000}}
    answers = {"numbers": [21, 4, 7], "secret": "cnryanswer"}
    public = {"public/session.json": session, "public/answers.json": answers}
    private = {"session.json": session, "answers.json": answers}
    return bundle(root, document, evaluator("piped"), public), overlay(root / "piped-overlay", private)


def make_coexecuted(root: Path) -> tuple[Path, Path]:
    document = spec("hostile-coexecuted", coexecuted(), profile(None, stage(20, 128)))
    answers = {"numbers": [21, 4], "secret": "cnryanswer"}
    made = bundle(root, document, evaluator("coexecuted"), {"public/answers.json": answers})
    return made, overlay(root / "coexecuted-overlay", {"answers.json": answers})


def make_lies(root: Path) -> tuple[Path, Path]:
    document = spec(
        "hostile-lies", separated(official_runs="private-benchmark/runs.json"), profile(stage(10), stage(20))
    )
    manifest = {"runs": stdio_runs()["runs"][:1]}
    files = {f"public/results/{name}": text for name, text in lies.WRITTEN.items()}
    made = bundle(root, document, evaluator("liar"), {"public/runs.json": manifest, **files})
    return made, overlay(root / "lies-overlay", {"runs.json": manifest})


def make(group: str, root: Path) -> tuple[Path, Path]:
    match group:
        case "piped":
            return make_piped(root)
        case "coexecuted":
            return make_coexecuted(root)
        case "files":
            return make_separated(root, "hostile-files", file_runs(), 5)
        case "tight":
            return make_separated(root, "hostile-tight", stdio_runs(), 1)
        case "lies":
            return make_lies(root)
        case _:
            return make_separated(root, "hostile-separated", stdio_runs(), 10)


def solutions_of(group: str, root: Path) -> dict[str, Path]:
    """By the name of the variant, in the order in which they are tried."""
    if group == "lies":
        return {word: solution(root / word, {"run.sh": f"echo {word}\n"}) for word in lies.ENDS}
    honest = runs.lay_honest(root / "honest", group)
    made = {runs.HONEST: honest}
    for case in runs.cases(group):
        made[case.name] = runs.lay_case(root / case.name, case)
        if case.wears:
            made[f"{runs.HONEST}-after-{case.name}"] = honest
    return made


@pytest.fixture(scope="session")
def own_config(tmp_path_factory):
    """The shipped defaults, and a scratch directory of our own, so that what is left there is ours."""
    scratch = Path("/var/tmp") / f"agentics-{secrets.token_hex(4)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
        patch.delenv("AGENTICS_CONFIG", raising=False)
        config = configuration.load(tmp_path_factory.getbasetemp())
    yield config.model_copy(update={"sandbox": config.sandbox.model_copy(update={"scratch": scratch})})
    if scratch.exists():
        scratch.rmdir()


@pytest.fixture(scope="session")
def seen(own_config, tmp_path_factory):
    """What became of all cases of a group: evaluated once, in official mode, honest solutions between them."""
    known: dict[str, runs.Seen] = {}

    def of(group: str) -> runs.Seen:
        if group not in known:
            root = tmp_path_factory.mktemp("operator-of-" + group)
            made, private = make(group, root)
            solutions = solutions_of(group, root / "solutions")
            known[group] = runs.run_all(
                own_config,
                root / "outputs",
                made,
                solutions,
                mode="official",
                overlays=((None, private),),
            )
        return known[group]

    return of


@pytest.fixture
def spared(own_config, tmp_path):
    """What becomes of some cases where the operator spares every image our system-call filter."""
    rule = RelaxRule(image="*", allow=("default_seccomp",))
    config = own_config.model_copy(update={"sandbox": own_config.sandbox.model_copy(update={"relax": (rule,)})})

    def of(*names: str, planted: dict[str, str]) -> runs.Seen:
        made, private = make_separated(
            tmp_path, "hostile-spared", stdio_runs(), 120
        )  # on a busy machine a walk is long
        solutions = {
            case.name: lay(runs.lay_case(tmp_path / "solutions" / case.name, case), planted)
            for case in runs.cases("separated")
            if case.name in names
        }
        overlays = ((None, private),)
        return runs.run_all(config, tmp_path / "outputs", made, solutions, mode="official", overlays=overlays)

    return of
