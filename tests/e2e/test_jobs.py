"""`agentics job` as a user calls it: LightEval in a container of its image, on the real engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentics.rundir.files.ledger import whole_lines
from agentics.sandbox.labels import ROLE, RUN
from tests.lighteval.environment import PLUGINS, ROOT, tiny_checkpoint, worker_image, worker_python
from tests.lighteval.fake_hub import COMMIT, FakeHub
from tests.lighteval.openai_server import FakeOpenAI

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(autouse=True, scope="module")
def image():
    return worker_image()


@pytest.fixture
def job(desk):
    """A copy of the example in the user's folder; its values can be replaced."""
    shutil.copytree(EXAMPLES / "plugins", desk.home / "plugins")

    def write(name="job.json", **changes):
        spec = json.loads((EXAMPLES / "jobspec-quick.json").read_text())
        (desk.home / name).write_text(json.dumps({**spec, **changes}))
        return name

    return write


def run(desk, *words, verb=("job", "run"), **more):
    argv = [sys.executable, "-m", "agentics", *verb, *map(str, words)]
    return subprocess.run(argv, cwd=desk.home, capture_output=True, text=True, timeout=300, check=False, **more)


@pytest.fixture
def workers(desk):
    """How many containers of workers were started for the run since the last time."""
    # The engine remembers its last 256 events only, those of other users included: so they are read as they come.
    events = desk.api.client.events(decode=True)
    labels = {RUN: desk.run_id, ROLE: "model-worker"}.items()

    def count():
        desk.api.client.create_volume(desk.run_id)
        desk.api.client.remove_volume(desk.run_id)
        started = 0
        for event in events:
            if (event["Type"], event["Action"], event["Actor"]["ID"]) == ("volume", "destroy", desk.run_id):
                return started
            started += event["Action"] == "start" and labels <= event["Actor"]["Attributes"].items()
        raise AssertionError

    yield count
    events.close()


def results(desk, folder="outputs/artifacts"):
    (found,) = (desk.home / folder / desk.run_id / "results").rglob("*.json")
    return json.loads(found.read_text())


def test_the_example_passes_without_a_network_and_leaves_nothing_behind(desk, job, workers):
    ended = run(desk, job(), "--run-id", desk.run_id)
    assert ended.returncode == 0, ended.stderr
    assert "quick_capitals|2" in ended.stdout
    assert results(desk)["results"]["quick_capitals|2"]["em"] == 0.75
    assert (workers(), desk.left_behind()) == (1, [])
    again = run(desk, f"outputs/{desk.run_id}/jobs/quick/jobspec.json", "--run-id", f"{desk.run_id}-again", "--json")
    told = json.loads(again.stdout)["outcomes"]["quick"]["tasks"]
    scores = {ref: task["primary_metric"]["value"] for ref, task in told.items()}
    assert scores == {"quick_capitals|2": 0.75, "quick_sums|0": 1.0, "quick_geo|0": 0.75}
    assert run(desk, f"outputs/{desk.run_id}", verb=("run", "verify")).returncode == 0
    assert run(desk, f"outputs/{desk.run_id}", verb=("schema", "validate")).returncode == 0


def test_an_offline_job_on_a_worker_of_this_machine_needs_no_network_at_all(desk, job, workers):
    with (desk.home / "agentics.toml").open("a") as file:
        file.write(f'[lighteval]\nworker = "{worker_python()}"\n')
    argv = ["unshare", "--net", sys.executable, "-m", "agentics", "job", "run", job(), "--run-id", desk.run_id]
    # In there, nothing has an address: not even an engine behind TCP could be asked.
    ended = subprocess.run(argv, cwd=desk.home, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert results(desk)["results"]["quick_geo|0"]["acc"] == 0.75
    assert workers() == 0


STALLING = """    def greedy_until(self, docs):
        if hasattr(self, "asked_first"):
            __import__("time").sleep(3600)
        self.asked_first = True
"""


def test_a_job_whose_process_is_killed_asks_only_for_what_is_missing(desk, job):
    job(tasks=[{"id": "quick_capitals", "fewshot": 2}])
    # More questions than a model is asked at once; and a model that answers the first batch of a process, and then no
    # other. In the next process the first batch is known, and the rest is its first.
    questions = desk.home / "plugins" / "quick-tasks" / "data" / "capitals" / "test.jsonl"
    first, *others = questions.read_text().splitlines()
    more = [line.replace("capital of", f"{number}th capital of") for number, line in enumerate(others)]
    questions.write_text("\n".join([first, *others, *more]) + "\n")
    model = desk.home / "plugins" / "quick-model" / "model.py"
    model.write_text(model.read_text().replace("    def greedy_until(self, docs):\n", STALLING))
    argv = [sys.executable, "-m", "agentics", "job", "run", "job.json", "--run-id", desk.run_id]
    process = subprocess.Popen(argv, cwd=desk.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    desk.started.append(process)
    ledger = desk.home / "outputs" / desk.run_id / "trials" / "trial_1" / "attempts" / "1" / "answers.jsonl"
    while not ledger.exists() or len(whole_lines(ledger.read_bytes())) < 16:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {json.loads(line)["key"] for line in whole_lines(ledger.read_bytes())}
    assert len(before) == 16
    assert run(desk, "job.json", "--run-id", desk.run_id).returncode == 0
    lines = (
        desk.home / "outputs" / desk.run_id / "trials" / "trial_1" / "attempts" / "2" / "answers.jsonl"
    ).read_bytes()
    again = [json.loads(line) for line in whole_lines(lines)]
    assert {line["key"] for line in again if line["known"]} == before
    assert len(again) == 1 + len(others) + len(more)
    assert desk.left_behind() == []


UNTIL_FROZEN = """    def greedy_until(self, docs):
        import time

        began = last = time.monotonic()
        while hasattr(self, "asked_first") and last - began < 20 and time.monotonic() - last < 2:
            last = time.monotonic()
            time.sleep(0.02)
        self.asked_first = True
"""
"""What is asked second waits until it stood still for two seconds; not for ever, as that may have been before."""


def test_a_frozen_job_goes_on_when_it_is_thawed(desk, job):
    model = desk.home / "plugins" / "quick-model" / "model.py"
    job()
    model.write_text(model.read_text().replace("    def greedy_until(self, docs):\n", UNTIL_FROZEN))
    argv = [sys.executable, "-m", "agentics", "job", "run", "job.json", "--run-id", desk.run_id]
    process = subprocess.Popen(argv, cwd=desk.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    desk.started.append(process)
    ledger = desk.home / "outputs" / desk.run_id / "trials" / "trial_1" / "attempts" / "1" / "answers.jsonl"
    while not ledger.exists() and process.poll() is None:
        time.sleep(0.05)
    paused = run(desk, f"outputs/{desk.run_id}", "--json", verb=("run", "pause"))
    assert json.loads(paused.stdout)["ok"], paused.stdout
    (container,) = desk.api.client.containers(filters={"label": [f"{RUN}={desk.run_id}", f"{ROLE}=model-worker"]})
    assert container["State"] == "paused"
    time.sleep(3)
    assert run(desk, f"outputs/{desk.run_id}", verb=("run", "resume")).returncode == 0
    assert process.wait(120) == 0
    assert results(desk)["results"]["quick_sums|0"]["em"] == 1.0


@pytest.fixture
def gateway(desk):
    """The address of this machine on the engine's own network, as a container is told: an engine that was started for
    the first time says nothing of it in what it tells of the network."""
    container = desk.api.client.create_container(worker_image(), ["sleep", "60"])["Id"]
    try:
        desk.api.client.start(container)
        return desk.api.client.inspect_container(container)["NetworkSettings"]["Networks"]["bridge"]["Gateway"]
    finally:
        desk.api.client.remove_container(container, force=True)


ROWS = "import sys; from pyarrow import parquet; print(parquet.read_table(sys.argv[1]).to_pylist())"


def test_a_server_is_asked_from_the_container_and_its_key_is_written_nowhere(desk, job, gateway):
    secret = "correct-horse-battery-staple"
    with FakeOpenAI(host=gateway, repeats=True) as server:
        backend = {"type": "endpoint_litellm", "model_name": "tiny", "base_url": server.url, "api_key_env": "ACME_KEY"}
        spec = {"backend": backend, "tasks": [{"id": "quick_capitals", "fewshot": 1}]}
        spec["artifacts"] = {"output_dir": "outputs/artifacts", "save_details": True}
        spec["custom_plugins"] = [{"name": "quick-tasks", "version": "1.0.0", "path": "plugins/quick-tasks"}]
        words = (job(**spec), "--run-id", desk.run_id, "--json")
        ended = run(desk, *words, env={**os.environ, "ACME_KEY": secret})
        assert ended.returncode == 0, ended.stderr
        assert set(server.keys) == {f"Bearer {secret}"}
        assert len(server.bodies) == 16
    assert results(desk)["results"]["quick_capitals|1"]["em"] == 0.0
    places = [path for path in (desk.home / "outputs").rglob("*") if path.is_file()]
    assert not [path for path in places if secret.encode() in path.read_bytes()]
    tables = [path for path in places if path.read_bytes().startswith(b"PAR1")]
    assert len(tables) == 2  # an artifact, and what is kept of it
    for path in tables:
        told = subprocess.run([worker_python(), "-c", ROWS, path], capture_output=True, text=True, check=True).stdout
        assert told.count("You sent Bearer ***.") >= 16
        assert secret not in told
    assert secret not in ended.stdout + ended.stderr


def test_a_jury_judges_the_answers_of_a_model_that_has_no_network(desk, job, gateway, workers):
    with FakeOpenAI(host=gateway, text="It is.\nVERDICT: CORRECT") as server:
        judges = [{"judge_model_name": name, "base_url": server.url} for name in ("a", "b", "c")]
        config = {"judges": judges, "aggregation": "majority", "judge_template_id": "correct-or-not"}
        spec = job(scoring_mode="jury", scoring_config=config, tasks=[{"id": "quick_capitals"}])
        ended = run(desk, spec, "--run-id", desk.run_id, "--json")
        assert ended.returncode == 0, ended.stderr
        assert len(server.bodies) == 48
    assert results(desk)["results"]["quick_capitals|0"]["judge_score"] == 1.0
    assert workers() == 2  # the model's is without a network, the judges' has one


def test_jobs_and_a_challenge_stand_in_one_experiment_and_share_one_worker(desk, job, workers):
    job("one.json", run_name="one", tasks=[{"id": "quick_sums"}])
    job("two.json", run_name="two", tasks=[{"id": "quick_geo"}])
    desk.bundle("challenge")
    (desk.home / "all.yaml").write_text(
        "name: all\ntasks: [challenge]\nvariants: [{solution: mine}]\njobspecs: [one.json, two.json]\n"
    )
    ended = run(desk, "all.yaml", "--run-id", desk.run_id, "--json", verb=("experiment", "run"))
    outcomes = json.loads(ended.stdout)["outcomes"]
    assert {name: outcome["status"] for name, outcome in outcomes.items()} == {
        "mine": "passed",
        "one": "passed",
        "two": "passed",
    }
    assert workers() == 1


def test_a_hub_dataset_is_found_in_the_operators_folder(desk, job):
    data = desk.home / "data" / "openai" / "gsm8k"
    data.mkdir(parents=True)
    rows = [{"question": f"{n} plus 1?", "answer": f"It is. #### {n + 1}"} for n in range(6)]
    for split in ("train", "test"):
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (desk.home / "agentics.toml").open("a") as file:
        file.write('[lighteval]\ndata = "data"\n')
    backend = {"type": "dummy", "model_name": "dummy"}
    params = {"hf_subset": "default"}
    spec = job(backend=backend, custom_plugins=[], tasks=[{"id": "gsm8k", "fewshot": 1, "params": params}])
    ended = run(desk, spec, "--run-id", desk.run_id, "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["outcomes"]["quick"]["tasks"]["gsm8k|1"]["status"] == "passed", ended.stdout


def test_models_and_data_of_the_hub_are_fetched_once_for_each_user_of_workers(desk, job, gateway, tmp_path):
    backend = {"type": "accelerate", "model_name": "acme/tiny", "options": {"dtype": "float32", "batch_size": 4}}
    plugins = [{"name": "quick-tasks", "version": "1.0.0", "path": "plugins/quick-tasks"}]
    tasks = [{"id": "quick_capitals", "params": {"hf_repo": "acme/capitals"}}]
    spec = job(backend=backend, custom_plugins=plugins, tasks=tasks)
    refused = run(desk, spec, "--run-id", desk.run_id)
    assert (refused.returncode, "dataset_needs_network" in refused.stderr) == (2, True), refused.stderr
    models, datasets = (
        {"acme/tiny": tiny_checkpoint(tmp_path)},
        {"acme/capitals": PLUGINS / "quick-tasks/data/capitals"},
    )
    with FakeHub(models, datasets, host=gateway) as hub:
        config = f'[lighteval]\nhub = "hub"\n{{}}[network.environment]\nHF_ENDPOINT = "{hub.url}"\n'
        process = f'worker = "{worker_python()}"\n'
        with (desk.home / "agentics.toml").open("a") as file:
            before = file.tell()
        # The cache of a process of root is no obstacle for a worker in a container, which is another user, and then
        # needs the hub no more.
        for number, (more, status) in enumerate(((process, None), ("", None), ("", 503)), 1):
            hub.status = status
            os.truncate(desk.home / "agentics.toml", before)
            with (desk.home / "agentics.toml").open("a") as file:
                file.write(config.format(more))
            ended = run(desk, spec, "--run-id", f"{desk.run_id}-{number}", "--json")
            assert ended.returncode == 0, ended.stderr
            assert json.loads(ended.stdout)["outcomes"]["quick"]["tasks"]["quick_capitals|0"]["status"] == "passed"
            about = json.loads((desk.home / f"outputs/artifacts/{desk.run_id}-{number}/metadata.json").read_text())
            assert (about["model_revision"], about["tasks"]["quick_capitals|0"]["data_commit"]) == (COMMIT, COMMIT)
    assert desk.left_behind() == []


def test_a_worker_that_is_a_process_resumes_and_is_gone_afterwards(desk, job):
    with (desk.home / "agentics.toml").open("a") as file:
        file.write(f'[lighteval]\nworker = "{worker_python()}"\n')
    assert run(desk, job(), "--run-id", desk.run_id, "--limit", "3").returncode == 0
    left = subprocess.run(["pgrep", "-f", "agentics.lighteval.entry"], capture_output=True, text=True, check=False)
    mine = [pid for pid in left.stdout.split() if str(desk.home.parent) in _command(pid)]
    assert (mine, desk.left_behind()) == ([], [])


def _command(pid):
    path = Path("/proc") / pid / "cmdline"
    return path.read_text() if path.exists() else ""
