"""A user's stage, in a package of its own, runs in a trial: nothing of this repository is changed for it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import BUNDLES

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "stage-package"
OWN = '[[stages]]\nname = "count_lines"\nafter = "cases"\noptions = {{ most = {most} }}\n'

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment of its own, which has what this one has, and the package."""
    place = tmp_path_factory.mktemp("own") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    library = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    (library / "here.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    # A copy: building leaves files beside the sources.
    source = place.parent / "source"
    subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True)
    subprocess.run([str(python), *install, str(source)], check=True, capture_output=True)
    return python


def agentics(python, cwd, *words):
    return subprocess.run(
        [str(python), "-m", "agentics", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_it_is_listed_and_shown_with_its_options(python, tmp_path):
    said = agentics(python, tmp_path, "stages", "show", "count_lines", "--json")
    assert said.returncode == 0, said.stderr
    stage = json.loads(said.stdout)["stage"]
    assert (stage["name"], stage["optional"], stage["module"]) == ("count_lines", ["most", "stream"], "count_lines")
    assert stage["defaults"]["stream"] == "stdout.txt"
    listed = json.loads(agentics(python, tmp_path, "stages", "--json").stdout)["stages"]
    assert "count_lines" in [each["name"] for each in listed]


@pytest.mark.parametrize(("most", "status", "reason"), [(1000000, "passed", None), (1, "failed", "too_many_lines")])
def test_it_runs_in_a_trial_between_two_stages_of_ours(python, tmp_path, most, status, reason):
    (tmp_path / "agentics.toml").write_text(OWN.format(most=most))
    solution = BUNDLES / "range-sums" / "solutions" / "accepted-python"
    words = ("eval", BUNDLES / "range-sums", "--solution", f"mine={solution}", "--run-id", "r", "--json")
    said = agentics(python, tmp_path, *words)
    (task,) = json.loads(said.stdout)["outcomes"]["mine"]["tasks"].values()
    assert (task["status"], task["reason"]) == (status, reason), said.stderr
    ledger = tmp_path / "outputs/r/trials/trial_1/attempts/1/stages.jsonl"
    records = {record["name"]: record["status"] for record in map(json.loads, ledger.read_text().splitlines())}
    assert records["count_lines"] == ("completed" if status == "passed" else "failed")
    assert agentics(python, tmp_path, "run", "verify", "outputs/r").returncode == 0
