"""Evaluators and setups copy parts of what they are given, with its modes, and write into the copy. Real ones do."""

from __future__ import annotations

import json
import stat

import pytest

from agentics.attacks.material import RUN, bundle, coexecuted, piped, profile, separated, solution, spec, stage

pytestmark = pytest.mark.docker

COPY = """
import json, os, shutil, sys
from pathlib import Path
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))


def copy(source, into):
    '''Copy a tree with its modes; then change each file of the copy, and add one to each of its directories.'''
    target = Path(into) / ("copy-of" + source.replace("/", "-"))
    shutil.copytree(source, target)
    for folder, _, files in os.walk(target):
        for name in files:
            with open(os.path.join(folder, name), "a") as file:
                file.write("more")
        Path(folder, "added").touch()
    return target
"""
SETUP = (
    COPY
    + """
copy("/challenge/public", "/setup")
for flag, made in (("--runs-file", RUNS), ("--session-file", SESSION)):
    if flag in words:
        Path(words[flag]).write_text(json.dumps(made))
"""
)
EVALUATE = (
    COPY
    + """
for into in ("/output", "/tmp"):
    for source in GIVEN:
        copy(source, into)
assert os.access("/output/copy-of-challenge/tools/check.sh", os.X_OK)
assert not os.access("/output/copy-of-challenge/statement.md", os.X_OK)
for source in GIVEN:
    try:
        Path(source, "written").touch()
        sys.exit(source + " can be written to")
    except OSError:
        pass
mode = words["--mode"]
summary = {"score": 1.0, "passed": 1, "total": 1}
metrics = [{"metric_name": "share", "value": 1.0}]
result = {"status": "passed", "aggregate_metrics": metrics, mode + "_summary": summary}
Path(words["--output-path"]).write_text(json.dumps(result))
"""
)
GIVEN = {
    "separated": ("/challenge", "/setup", "/metadata", "/solution-runs"),
    "piped": ("/challenge", "/setup", "/metadata", "/session"),
    "coexecuted": ("/challenge", "/setup", "/metadata", "/workspace"),
}
INPUTS = [{"path": "note.txt", "source_path": "copy-of-challenge-public/note.txt"}]
RUNS = {"runs": [{**RUN, "run_name": "one", "interface": "file_system", "input_files": INPUTS}]}
SESSION = {"session_name": "one", "input_files": INPUTS, "metadata": None}
PROGRAM = "import os, sys\nsys.stdin.read()\nos.mkdir('/io/output/d')\nopen('/io/output/d/answer', 'w').write('x')\n"


def copying_bundle(folder, topology):
    make, folder_name, result = {
        "separated": (separated, "separated-evaluator", {"result_runs_file": "runs.json"}),
        "piped": (piped, "interactive-evaluator", {"result_session_file": "session.json"}),
        "coexecuted": (coexecuted, "coexecuted-evaluator", {}),
    }[topology]
    setup = {"command": ["python3", f"{folder_name}/setup.py"], "reproducibility_notes": None, **result}
    locators = {"separated": {"validation_runs": None}, "piped": {"validation_session": None}, "coexecuted": {}}
    document = spec(
        "copies",
        make(**locators[topology], validation_setup=setup),
        profile(None if topology == "coexecuted" else stage(20), stage(20)),
        None,
    )
    evaluate = EVALUATE.replace("GIVEN", repr(GIVEN[topology]))
    made = SETUP.replace("RUNS", repr(RUNS)).replace("SESSION", repr(SESSION))
    root = bundle(folder, document, evaluate, {f"{folder_name}/setup.py": made, "tools/check.sh": "exit 0\n"})
    (root / "tools" / "check.sh").chmod(0o755)
    for path in (root / "statement.md", root / "public" / "note.txt"):
        path.chmod(0o444)  # an author's checkout may be read-only; a copy that is written to must not inherit that
    return root


@pytest.mark.parametrize("topology", GIVEN)
def test_what_trusted_code_copies_with_its_modes_can_be_written_to(topology, tmp_path, evaluation):
    root = copying_bundle(tmp_path, topology)
    made = solution(tmp_path / "mine", {"main.py": PROGRAM}, build="mkdir -p made && echo x >made/file\n")
    ended = evaluation(root, made)
    (task,) = ended.outcomes[0].tasks.values()
    log = (ended.run_dir / "trials" / "trial_1" / "harness_stdout.log").read_text()
    assert (task.status, task.reason) == ("passed", None), log
    assert stat.S_IMODE((root / "statement.md").stat().st_mode) == 0o444
    assert json.loads((root / "spec.json").read_bytes())["challenge_name"] == "copies"
