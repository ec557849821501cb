"""Words planted in everything private, every topology, mode and failure: none comes out where somebody may look."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from agentics.attacks.material import lay
from agentics.cli import main
from agentics.errors import EngineError
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.reader import read_evidence, read_run
from tests.canary import material
from tests.canary.scan import INPUT, WORD, files, leaks
from tests.fake_engine import FakeEngine

PUBLIC = ("public/**/*", "*/run_outcome.json", "*/run_summary.json", "*/*/task_status.json", "*.json", "*.digest")
PUBLIC = (*PUBLIC, "trials/*/trial_input.json", "trials/*/trial_metadata.json", "trials/*/trial_state.json")
PUBLIC = (*PUBLIC, "runtime/events.jsonl")
BROKEN = {"runs": [{"run_name": "cnrybroken", "cnrykey": "cnryvalue", "interface": "cnryinterface"}]}


def shown(run_dir):
    """What of a run directory is shown to anybody but its operator."""
    return files(run_dir, *PUBLIC)


def looked_at(terminal, run_dir, bundle):
    """What commands say of a run and its challenge afterwards."""
    commands = {
        "run show": ("run", "show", run_dir),
        "run show --json": ("run", "show", run_dir, "--json"),
        "run show --public": ("run", "show", run_dir, "--public"),
        "challenge show": ("challenge", "show", bundle),
    }
    said = {name: terminal.type(*words) for name, words in commands.items()}
    assert {name: one.exit_status for name, one in said.items()} == dict.fromkeys(commands, 0)
    return spoken(said)


def spoken(said):
    return {f"{name} {stream}": data for name, one in said.items() for stream, data in streams(one).items()}


def streams(one):
    return {"stdout": one.out, "stderr": one.err}


def statuses(run_dir):
    outcomes = [json.loads(data) for data in files(run_dir, "*/run_outcome.json").values()]
    tasks = {outcome["model"]: next(iter(outcome["tasks"].values())) for outcome in outcomes}
    return {variant: (task["status"], task["reason"]) for variant, task in tasks.items()}


@pytest.fixture(scope="module")
def evaluated(terminal, tmp_path_factory):
    """Every solution on one bundle, by `agentics eval -v` and then, continued, by `--json`."""
    known = {}

    def of(topology, mode):
        if (topology, mode) in known:
            return known[topology, mode]
        root = tmp_path_factory.mktemp("operator")
        private = material.private_files(topology)
        # In a validation the private files lie in the bundle, where an author has them; nothing may pick them up.
        generated = topology == "piped"
        inside = private if mode == "validation" else {}
        bundle = material.make_bundle(root, topology, "planted", generated=generated, files=inside)
        options = ["--mode", mode, "--output-path", root / "outputs", "--run-id", "planted"]
        if mode == "official":
            options += ["--overlay", lay(root / "overlay", private)]
        for name, path in material.solutions(root / "solutions").items():
            options += ["--solution", f"{name}={path}"]
        said = {
            "eval -v": terminal.type("eval", bundle, *options, "-v"),
            "eval --json": terminal.type("eval", bundle, *options, "--json", "--exit-policy", "strict"),
        }
        known[topology, mode] = (root / "outputs" / "planted", bundle, said)
        return known[topology, mode]

    return of


@pytest.mark.docker
@pytest.mark.parametrize("mode", ["validation", "official"])
@pytest.mark.parametrize("topology", material.TOPOLOGIES)
def test_no_public_byte_holds_a_planted_word(topology, mode, evaluated, terminal):
    run_dir, bundle, said = evaluated(topology, mode)
    assert statuses(run_dir) == material.ENDS
    assert json.loads(said["eval --json"].out)["command"] == "eval"
    assert {name: one.exit_status for name, one in said.items()} == {"eval -v": 4, "eval --json": 4}
    assert leaks(shown(run_dir)) == []
    assert leaks(spoken(said)) == []
    assert leaks(looked_at(terminal, run_dir, bundle)) == []


@pytest.mark.docker
@pytest.mark.parametrize("mode", ["validation", "official"])
@pytest.mark.parametrize("topology", material.TOPOLOGIES)
def test_no_participant_can_read_a_planted_word(topology, mode, evaluated):
    run_dir, _, _ = evaluated(topology, mode)
    view = read_run(run_dir)
    artifacts = ArtifactStore(view.layout.artifacts)
    seen = {}
    for trial in view.trials:
        evidence = read_evidence(trial)
        refs = {f"{case.alias}/{file.path}": file.ref for case in evidence.cases for file in case.files}
        own = (one for one in evidence.containers if one.role in ("setup", "build", "run") and one.log_ref)
        refs |= {one.role: one.log_ref for one in own}
        seen |= {f"{trial.ids.variant_id} {name}": artifacts.read(ref) for name, ref in refs.items()}
        if topology == "coexecuted" and trial.ids.variant_id == "spy":
            log = b"".join(artifacts.read(one.log_ref) for one in evidence.containers if one.role.endswith("evaluator"))
            seen["spy"] = log.split(b"SEEN")[1]
    told = b"".join(seen.values())
    assert b"/proc/self" in told or re.search(rb"== /proc/\d+/mountinfo", told)
    assert b"PATH=" in told
    assert leaks(seen, WORD) == []
    if mode == "official" and topology == "separated":
        assert leaks(seen, INPUT)


@pytest.mark.docker
def test_the_operator_keeps_what_the_public_does_not_see(evaluated):
    run_dir, _, _ = evaluated("separated", "official")
    names = ("attempts/*/evidence.json", "harness_stdout.log", "result.json", "explanation.json")
    kept = files(run_dir, *(f"trials/*/{name}" for name in names))
    found = "".join(leaks(kept))
    assert "evidence.json" in found
    assert "harness_stdout.log" in found
    assert any(b"cnry" in data for name, data in kept.items() if name.endswith("result.json"))
    explained = {name: json.loads(data) for name, data in kept.items() if name.endswith("explanation.json")}
    assert all(told["private"] for told in explained.values())
    invalid = next(told for told in explained.values() if told["reason"] == "result_invalid")
    assert "cnrymetric" in invalid["message"]


@pytest.mark.docker
@pytest.mark.parametrize("topology", material.TOPOLOGIES)
def test_what_may_leave_an_official_run_says_where_the_rest_is_and_nothing_of_it(topology, evaluated):
    run_dir, _, said = evaluated(topology, "official")
    told = json.loads(said["eval --json"].out)["explanations"]
    outward = [each for tasks in told.values() for own in tasks.values() for each in own]
    assert len(outward) == sum(status != "passed" for status, _ in material.ENDS.values())
    assert all((run_dir / each["withheld"]).is_file() for each in outward)
    assert [each for each in outward if each["evaluator"] or each["session"] or each["private"]] == []
    assert run_dir.joinpath("trials").stat().st_mode & 0o077 == 0


FLAWS = {
    "a generated manifest that is invalid": ("separated", {"manifest": BROKEN}, "manifest_invalid"),
    "a generated session that is invalid": ("piped", {"manifest": BROKEN}, "manifest_invalid"),
    "a setup of the challenge that fails": ("coexecuted", {"setup": material.CRASH}, "challenge_setup_failed"),
    "a setup of the challenge that leaves nothing": ("separated", {"setup": "pass\n"}, "manifest_invalid"),
}


@pytest.mark.docker
@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_of_the_challenge_tells_nothing_of_its_data(flaw, terminal, tmp_path):
    topology, differs, reason = FLAWS[flaw]
    bundle = material.make_bundle(tmp_path, topology, "planted", generated=True)
    overlay = lay(tmp_path / "overlay", material.private_files(topology, **differs))
    solution = material.make_solution(tmp_path / "passed", "passed")
    options = ("--mode", "official", "--overlay", overlay, "--output-path", tmp_path / "outputs", "--run-id", "flawed")
    said = {
        "eval -v": terminal.type("eval", bundle, "--solution", solution, *options, "-v"),
        "eval --json": terminal.type("eval", bundle, "--solution", solution, *options, "--json"),
    }
    run_dir = tmp_path / "outputs" / "flawed"
    assert statuses(run_dir) == {"passed": ("error", reason)}
    assert leaks({**shown(run_dir), **spoken(said), **looked_at(terminal, run_dir, bundle)}) == []


@pytest.mark.docker
@pytest.mark.parametrize("flaw", ["static manifest invalid", "no overlay", "a link in the overlay", "overlay collides"])
def test_what_is_wrong_with_official_data_is_told_to_its_holder_alone(flaw, terminal, tmp_path):
    manifest = BROKEN if flaw == "static manifest invalid" else None
    private = material.private_files("separated", manifest=manifest)
    collides = {"cnrydir/cnryfile.bin": "cnryother"} if flaw == "overlay collides" else {}
    bundle = material.make_bundle(tmp_path, "separated", "planted", files=collides)
    overlay = lay(tmp_path / "overlay", private)
    if flaw == "a link in the overlay":
        (overlay / "cnrydir" / "cnrylink").symlink_to("cnryanswers.json")
    solution = material.make_solution(tmp_path / "passed", "passed")
    options = ["--mode", "official", "--output-path", tmp_path / "outputs", "--run-id", "flawed"]
    if flaw != "no overlay":
        options += ["--overlay", overlay]
    said = terminal.type("eval", bundle, "--solution", solution, *options)
    assert said.exit_status not in (0, 1)
    # The operator, who holds the data, is told on stderr what is wrong with it; nobody else is.
    assert leaks(streams(said), WORD)
    run_dir = tmp_path / "outputs" / "flawed"
    assert leaks({**(shown(run_dir) if run_dir.exists() else {}), "stdout": said.out}) == []


@pytest.mark.docker
def test_an_interrupted_run_tells_nothing(terminal, tmp_path):
    bundle = material.make_bundle(tmp_path, "separated", "planted")
    overlay = lay(tmp_path / "overlay", material.private_files("separated"))
    solution = material.make_solution(tmp_path / "slow", "slow", run="sleep 60\n")
    options = ("--mode", "official", "--overlay", overlay, "--output-path", tmp_path / "outputs", "--run-id", "stopped")
    command = terminal.command("eval", bundle, "--solution", solution, *options, "-v")
    with subprocess.Popen(
        command, cwd=terminal.home, env=terminal.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        heard = b""
        while b": cases" not in heard:
            heard += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    run_dir = tmp_path / "outputs" / "stopped"
    assert statuses(run_dir) == {"slow": ("pending", "interrupted")}
    assert leaks({**shown(run_dir), "stdout": out, "stderr": heard + err}) == []


@pytest.mark.parametrize("call", ["start", "remove"])
def test_trouble_with_the_engine_tells_nothing_though_the_engine_quotes_it_all(call, tmp_path, monkeypatch, capsys):
    bundle = material.make_bundle(tmp_path, "separated", "planted", generated=True)
    overlay = lay(tmp_path / "overlay", material.private_files("separated"))
    solution = material.make_solution(tmp_path / "passed", "passed")
    quoting = EngineError("cannot run separated-evaluator/cnrysetup.py of cnrydir")
    engine = FakeEngine(failures={call: [quoting] * 20})

    @contextmanager
    def open_engine(*_):
        yield engine

    # The one seam for an engine: which one is here is asked of the machine, not of the request.
    monkeypatch.setattr("agentics.runner.run_resources.open_engine", open_engine)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AGENTICS_CONFIG", str(tmp_path / "agentics.toml"))
    monkeypatch.setattr(sys, "argv", ["agentics"])
    lay(tmp_path, {"agentics.toml": "[retry]\nattempts = 2\nwait_s = 0.0\n"})
    options = ["--mode", "official", "--overlay", overlay, "--output-path", tmp_path / "outputs", "--run-id", "lost"]
    for more in ("-v", "--json"):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in ("eval", bundle, "--solution", solution, *options, more)])
        assert ended.value.code == 5
    said = capsys.readouterr()
    run_dir = tmp_path / "outputs" / "lost"
    assert engine.failures[call] != [quoting] * 20
    told = {"stdout": said.out.encode(), "stderr": said.err.encode()}
    assert leaks({**shown(run_dir), **told}) == []


def test_the_scanner_finds_what_is_planted(tmp_path):
    lay(tmp_path, {"public/run.json": {"detail": "Cnryplanted"}, "v/run_outcome.json": {"x": 1}})
    assert [leak.split(":")[0] for leak in leaks(shown(tmp_path))] == ["public/run.json"]
    for hidden in (b"a c\nn\x1b[1mr\x1b[0my b", b"CNRY", *(base64.b64encode(b"x" * n + b"cnryabc") for n in range(3))):
        assert leaks({"here": hidden}), hidden
    assert leaks({"here": b"canary, in plain words"}) == []
