"""A real setup, once: later evaluations have every byte, name, mode, link and time of what it left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from agentics.attacks import material
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.reader import read_evidence, read_run

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.docker

# What setups leave: a virtual environment, links of both kinds, execute bits, a hole, an empty directory, a name that
# is not UTF-8, a file that only its owner may read, and something that no second run of the setup would draw again.
SETUP = """
import json, os, subprocess, sys, time
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
os.chdir(words["--setup-dir"])
subprocess.run([sys.executable, "-m", "venv", "--without-pip", "env"], check=True)
os.mkdir("empty")
open("drawn", "w").write(str(time.time_ns()))
open("private", "w").write("x")
os.chmod("private", 0o600)
os.link("drawn", "twin")
open(b"\\xff\\xfe", "w").write("no UTF-8")
with open("sparse", "wb") as file:
    file.seek(8 << 20)
    file.write(b"end")
os.utime("env", ns=(1, 1_234_567_890_123_456_789))
run = {"stdin_json": None, "stdin_text": "", "input_files": None, "output_files": None, "metadata": None}
if "--runs-file" in words:
    json.dump({"runs": [{"run_name": "one", "interface": "stdio", **run}]}, open(words["--runs-file"], "w"))
if "--session-file" in words:
    json.dump({"session_name": "one", "input_files": None, "metadata": None}, open(words["--session-file"], "w"))
"""
EVALUATOR = """
import hashlib, json, os, shlex, subprocess, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))

def told(path):
    found = os.lstat(path)
    facts = [found.st_mode, found.st_uid, found.st_gid, found.st_nlink, found.st_mtime_ns, found.st_ino]
    if os.path.islink(path):
        return facts, os.readlink(path).hex()
    if os.path.isdir(path):
        return facts, None
    return facts, [found.st_size, found.st_blocks > 8, hashlib.sha256(open(path, "rb").read()).hexdigest()]

paths = [b"/setup"]
for folder, folders, files in os.walk(b"/setup"):
    paths += [os.path.join(folder, name) for name in folders + files]
say = {path.hex(): told(path) for path in sorted(paths)}
say["python"] = subprocess.run(["/setup/env/bin/python", "-c", "import sys; print(sys.prefix)"],
                               capture_output=True, text=True).stdout
launcher = shlex.split(os.environ.get("AGENTICS_RUN_AS_SOLUTION", ""))
reads = launcher and subprocess.run([*launcher, "cat", "/setup/drawn"], cwd="/tmp", capture_output=True, text=True)
say["as the solution"] = launcher and reads.stdout + reads.stderr
try:
    open("/setup/more", "w")
except OSError as error:
    say["written"] = error.strerror
print(json.dumps(say), file=sys.stderr)
share = {"score": 1, "passed": 1, "total": 1}
json.dump({"status": "passed", "aggregate_metrics": [{"metric_name": "share", "value": 1}],
           "validation_summary": share}, open(words["--output-path"], "w"))
"""
TOPOLOGIES = {
    "separated_evaluator": (material.separated, "result_runs_file", "runs.json", {"validation_runs": None}),
    "piped_stdio": (material.piped, "result_session_file", "session.json", {"validation_session": None}),
    "coexecuted_benchmark": (material.coexecuted, None, None, {}),
}


def bundle(root, topology):
    execution, key, file, none = TOPOLOGIES[topology]
    folder = material.FOLDERS[topology]
    setup = {"command": ["python3", f"{folder}/setup.py"], "reproducibility_notes": "It draws a number."}
    run = None if topology == "coexecuted_benchmark" else material.stage(10)
    document = material.spec(
        "once",
        execution(**none, validation_setup={**setup, **({key: file} if key else {})}),
        material.profile(run, material.stage(20)),
        private_dir=None,
    )
    return material.bundle(root, document, EVALUATOR, {f"{folder}/setup.py": SETUP})


def what_evaluators_saw(run_dir):
    """By variant: the roles of the containers, how the setup came to be, and what the evaluator said of it."""
    view = read_run(run_dir)
    for trial in view.trials:
        evidence = read_evidence(trial)
        pair = (evidence.session.evaluator,) if evidence.session else ()
        evaluator = next(c for c in (*evidence.containers, *pair) if c.role.endswith("evaluator"))
        said = ArtifactStore(view.layout.artifacts).read(evaluator.log_ref)
        roles = [container.role for container in evidence.containers]
        yield "challenge-setup" in roles, evidence.setup, said


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_later_evaluator_has_what_the_setup_left_to_the_byte(topology, tmp_path, evaluation):
    made = bundle(tmp_path, topology)
    solution = material.solution(tmp_path / "mine", {"run.sh": "true\n"})
    seen = []
    for run_id in ("first", "second"):
        ended = evaluation(made, solution, run_id=run_id, exit_policy="strict")
        assert ended.exit_status == 0, ended.outcomes
        seen += what_evaluators_saw(ended.run_dir)
    (ran, first, before), (ran_again, second, after) = seen
    assert (ran, ran_again) == (True, False)
    assert (first.reused, second.reused) == (False, True)
    assert first.product == second.product
    assert before == after
    assert b"/setup/env\\n" in before
    assert b'"written": "Read-only file system"' in before
    if topology == "coexecuted_benchmark":
        assert b'"as the solution": "cat: /setup/drawn: Permission denied\\n"' in before


@pytest.fixture
def slow(desk):
    """A bundle whose setup takes so many seconds, beside a solution."""

    def of(seconds):
        made = bundle(desk.home, "coexecuted_benchmark")
        script = made / "coexecuted-evaluator/setup.py"
        script.write_text(f"{SETUP}\ntime.sleep({seconds})\n", encoding="utf-8")
        return made.name

    return of


def roles_and_setups(desk, run_id):
    (seen,) = what_evaluators_saw(desk.home / "outputs" / run_id)
    return seen


def test_of_two_evaluations_at_once_one_runs_the_setup(desk, slow):
    name, first = slow(2), desk.run_id
    processes = [desk.start(name, "--exit-policy", "strict")]
    desk.run_id = f"{first}-too"
    processes.append(desk.start(name, "--exit-policy", "strict"))
    for process in processes:
        _, talk = process.communicate(timeout=120)
        assert process.returncode == 0, talk
    told = sorted((roles_and_setups(desk, run_id) for run_id in (first, desk.run_id)), key=lambda seen: seen[0])
    assert [(ran, setup.reused) for ran, setup, _ in told] == [(False, True), (True, False)]
    assert told[0][2] == told[1][2]
    assert desk.left_behind() == []


def test_killed_in_the_middle_of_a_setup_the_same_command_runs_it_again_and_keeps_it(desk, slow):
    name = slow(2000)
    process = desk.start(name)
    desk.wait_for_container("challenge-setup")
    process.kill()
    process.wait()
    slow(0)
    for again in (False, True):
        desk.run_id = f"{desk.run_id}x"
        process = desk.start(name, "--exit-policy", "strict")
        _, talk = process.communicate(timeout=120)
        assert process.returncode == 0, talk
        assert roles_and_setups(desk, desk.run_id)[1].reused is again
    assert desk.left_behind() == []
    kept = next(desk.scratch.glob("setups-*"))
    assert sorted(path.name.partition(".")[2] for path in kept.iterdir()) == ["", "1"]


@pytest.fixture
def another_user():
    """Runs `agentics` as a user who is not root and may use the engine; its `home` is that user's."""
    home = Path("/var/tmp") / f"agentics-test-{os.getpid()}"
    given = {
        "user": 65_531,
        "group": 65_531,
        "extra_groups": [Path("/var/run/docker.sock").stat().st_gid],
        "env": {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"},
    }
    interpreters = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    python = next((one for one in interpreters if _can_import_us(one, given)), None)
    if python is None:
        pytest.skip("only root can read this interpreter, or this repository")

    def run(*words):
        for path in (home, *home.rglob("*")):
            os.chown(path, 65_531, 65_531, follow_symlinks=False)
        command = [python, "-m", "agentics", *map(str, words)]
        process = subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True, **given)
        _, talk = process.communicate(timeout=120)
        assert process.returncode == 0, talk

    home.mkdir()
    run.home = home
    yield run
    shutil.rmtree(home)


def _can_import_us(python, given):
    try:
        return subprocess.call([python, "-c", "import agentics.cli"], cwd="/", stderr=subprocess.DEVNULL, **given) == 0
    except OSError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests are those of another user")
def test_another_user_than_root_keeps_setups_of_its_own(another_user):
    home = another_user.home
    made = bundle(home, "coexecuted_benchmark")
    material.solution(home / "mine", {"run.sh": "true\n"})
    (home / "agentics.toml").write_text(f'[sandbox]\nscratch = "{home}/scratch"\n', encoding="utf-8")
    seen = []
    for run_id in ("first", "second"):
        another_user("eval", made, "--solution", home / "mine", "--run-id", run_id, "--exit-policy", "strict")
        seen += what_evaluators_saw(home / "outputs" / run_id)
    (ran, first, before), (ran_again, second, after) = seen
    assert (ran, ran_again, first.reused, second.reused) == (True, False, False, True)
    assert before == after
    assert b'"as the solution": "cat: /setup/drawn: Permission denied\\n"' in before
    assert [path.name for path in (home / "scratch").iterdir()] == ["setups-65531"]
