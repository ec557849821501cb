"""Bundles of every topology with a planted word in everything that is private."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentics.attacks.material import RUN, bundle, coexecuted, lay, piped, profile, separated, solution, spec, stage

INSIDE = Path(__file__).parent / "inside"
TOPOLOGIES = ("separated", "piped", "coexecuted")
ENDS = {
    "spy": ("passed", None),
    "passed": ("passed", None),
    "wrong": ("failed", "verdict_fail"),
    "crash": ("error", "evaluator_crashed"),
    "invalid": ("error", "result_invalid"),
    "missing": ("error", "result_missing"),
    "error": ("error", "evaluator_error"),
    "setup-fails": ("failed", "solution_setup_failed"),
    "build-fails": ("failed", "solution_build_failed"),
}
"""What the solutions of these names end with."""

FOLDERS = {"separated": "separated-evaluator", "piped": "interactive-evaluator", "coexecuted": "coexecuted-evaluator"}
SETUP = """# cnrysetupcomment
import json, sys
asked = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print("cnrysetupout"); print("cnrysetuperr", file=sys.stderr)
manifest = json.load(open("/challenge/cnrydir/cnrymanifest.json"))
for flag in ("--runs-file", "--session-file"):
    if flag in asked:
        json.dump(manifest, open(asked[flag], "w"))
"""
CRASH = "raise SystemExit('cnrysetupcrash')\n"


def solutions(root: Path) -> dict[str, Path]:
    return {word: make_solution(root / word, word) for word in ENDS}


def make_solution(root: Path, word: str, run: str | None = None) -> Path:
    spy = (INSIDE / "spy.py").read_text()
    made = solution(root, {"spy.py": spy, "run.sh": run or f"exec python3 spy.py {word}\n"}, build="exit 0\n")
    if word == "build-fails":
        lay(
            root, {"build.sh": "cat /proc/self/environ /proc/self/mountinfo; ls -laR / 2>&1 | head -c 100000; exit 3\n"}
        )
    if word == "setup-fails":
        commands = {"run": "run.sh", "setup": "build.sh"}
        manifest = {"protocol": "zip_project", "protocol_version": 1, "note": "", "commands": commands}
        lay(root, {"agentics.solution.json": manifest, "build.sh": "exit 4\n"})
    return made


def runs_manifest(prefix: str) -> dict:
    """Two cases. What a participant's program is given is no secret from it; all else of an official case is."""
    first = {**RUN, "run_name": f"{prefix}first", "interface": "stdio", "stdin_text": "go\n"}
    private = prefix.startswith("cnry")
    inputs = [{"path": "note.txt", "source_path": "cnrydir/cnrysource.txt" if private else "public/note.txt"}]
    second = {**first, "run_name": f"{prefix}second", "input_files": inputs}
    if private:
        first = {**first, "metadata": {"cnrykey": "cnrymetadata"}, "output_files": ["cnryoutput.txt"]}
    return {"runs": [first, second]}


def session_manifest(prefix: str) -> dict:
    private = prefix.startswith("cnry")
    inputs = [{"path": "cnryinput.txt", "content": "cnryinputcontent"}] if private else None
    # The contract gives the session's name to the solution.
    return {
        "session_name": "ptcpsession" if private else "session",
        "input_files": inputs,
        "metadata": {f"{prefix}key": f"{prefix}value"},
    }


def private_files(topology: str, *, manifest: object = None, setup: str = SETUP) -> dict[str, object]:
    """What the overlay holds."""
    made = {"separated": runs_manifest, "piped": session_manifest, "coexecuted": lambda _: {}}[topology]("cnry")
    return {
        "cnrydir/cnrymanifest.json": made if manifest is None else manifest,
        "cnrydir/cnryanswers.json": {"answer": "cnryanswer"},
        "cnrydir/cnrysource.txt": "ptcpinput, which a participant's program may see\n",
        "cnrydir/cnryfile.bin": b"\0cnryfilecontent",
        f"{FOLDERS[topology]}/cnrysetup.py": setup,
        f"{FOLDERS[topology]}/cnryhelper.py": "# cnryevaluatorcomment\n",
    }


def execution(topology: str, *, generated: bool) -> dict:
    """The official side is a static manifest, or one that a setup of the challenge makes."""
    command = ["python3", f"{FOLDERS[topology]}/cnrysetup.py", "--cnryflag", "cnryargument"]
    setup = {"command": command, "reproducibility_notes": "cnrynotes"}
    match topology:
        case "separated" if generated:
            return separated(official_evaluation_setup={**setup, "result_runs_file": "cnryruns.json"})
        case "separated":
            return separated(official_runs="cnrydir/cnrymanifest.json")
        case "piped" if generated:
            return piped(official_evaluation_setup={**setup, "result_session_file": "cnrysession.json"})
        case "piped":
            return piped(official_session="cnrydir/cnrymanifest.json")
        case _:
            return coexecuted(official_evaluation_setup=setup)


def make_bundle(root: Path, topology: str, name: str, *, generated: bool = False, files: Mapping | None = None) -> Path:
    run = None if topology == "coexecuted" else stage(10)
    document = spec(name, execution(topology, generated=generated), profile(run, stage(20)), "cnrydir")
    public = {"public/runs.json": runs_manifest("case-"), "public/session.json": session_manifest("public-")}
    return bundle(root, document, (INSIDE / "actor.py").read_text(), {**public, **(files or {})})
