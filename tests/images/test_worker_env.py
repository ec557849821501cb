"""The worker's environment without a container, made of packages that only look like LightEval and torch."""

import json
import subprocess
import sys

import pytest

from agentics.errors import EngineError, UsageError
from agentics.sandbox.steps import Steps, ignore
from agentics.sandbox.worker_env import make_worker_env
from tests.images.conftest import Index

SILENT = Steps(log=ignore)


def lighteval(index, said="WORKS = 1\n"):
    return index.add("lighteval", "0.13.0", {"lighteval/__init__.py": "", "lighteval/pipeline.py": said})


def torch(index, version, *, gpu):
    package, cuda = f"from torch import cuda\n__version__ = {version!r}\n", f"def is_available(): return {gpu}\n"
    index.add("torch", version, {"torch/__init__.py": package, "torch/cuda.py": cuda})


@pytest.fixture
def images(defined, index):
    """Definitions with a `lighteval` whose torch is `1.0+cpu` elsewhere, and `1.0` where this machine's pip looks."""
    elsewhere = Index(defined / "elsewhere")
    torch(index, "1.0", gpu=True)
    torch(elsewhere, "1.0+cpu", gpu=False)
    (defined / "lighteval").mkdir()
    (defined / "lighteval" / "image.toml").write_text(
        f"""
        dockerfile = {{ base = "ground" }}
        [python]
        version = "3.11"
        requirements = "r.txt"
        elsewhere = {{ packages = ["torch==1.0+cpu"], index = "{elsewhere.url}" }}
        """
    )
    (defined / "lighteval" / "r.txt").write_text(lighteval(index))
    return defined


def make(images, directory, **given):
    return make_worker_env(directory, sys.executable, SILENT, images=images, **given)


@pytest.mark.slow
def test_an_environment_is_made_once_and_its_interpreter_has_lighteval(images, tmp_path):
    first = make(images, tmp_path / "env")
    assert (first.made, first.lighteval, first.torch, first.cuda) == (True, "0.13.0", "1.0", True)
    subprocess.run((first.python, "-c", "import lighteval.pipeline"), check=True)
    again = make(images, tmp_path / "env")
    assert (again.made, again.python) == (False, first.python)


@pytest.mark.slow
def test_without_cuda_it_has_the_torch_of_the_image_and_one_is_not_taken_for_the_other(images, tmp_path):
    made = make(images, tmp_path / "env", cpu=True)
    assert (made.torch, made.cuda) == ("1.0+cpu", False)
    with pytest.raises(UsageError, match="with --cpu") as caught:
        make(images, tmp_path / "env")
    assert caught.value.code == "directory_in_use"


@pytest.mark.slow
def test_one_that_came_to_nothing_is_finished_by_the_same_call(images, index, tmp_path):
    pins = images / "lighteval" / "r.txt"
    pins.write_text(lighteval(index, "raise RuntimeError('no such thing')\n"))
    for _ in range(2):
        with pytest.raises(EngineError, match="no such thing") as caught:
            make(images, tmp_path / "env")
        assert caught.value.code == "worker_env_failed"
    pins.write_text(index.add("lighteval", "0.13.1", {"lighteval/__init__.py": "", "lighteval/pipeline.py": ""}))
    assert make(images, tmp_path / "env").made


@pytest.mark.slow
def test_a_new_lock_renews_it(images, index, tmp_path):
    make(images, tmp_path / "env")
    pins = index.add("lighteval", "0.14.0", {"lighteval/__init__.py": "", "lighteval/pipeline.py": ""})
    (images / "lighteval" / "r.txt").write_text(pins)
    renewed = make(images, tmp_path / "env")
    assert (renewed.made, renewed.lighteval) == (True, "0.14.0")


def test_a_directory_of_somebody_else_is_left_alone(images, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary").write_text("dear")
    for taken in (tmp_path / "mine", tmp_path / "mine" / "diary"):
        with pytest.raises(UsageError) as caught:
            make(images, taken)
        assert caught.value.code == "directory_in_use"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["diary"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 3.9", "is Python 3.9"),
        ("echo 3.15", "is Python 3.15"),
        ("echo No module named ensurepip >&2; exit 1", "No module named ensurepip"),
        ("exit 1", "cannot make virtual environments"),
        ("true", "of no version"),
    ],
)
def test_an_interpreter_that_will_not_do_is_refused_before_anything_is_written(images, tmp_path, script, told):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    with pytest.raises(UsageError, match=told) as caught:
        make_worker_env(tmp_path / "env", str(python), SILENT, images=images)
    assert caught.value.code == "python_unsupported"
    assert not (tmp_path / "env").exists()


def test_an_interpreter_that_is_not_there_is_refused(images, tmp_path):
    with pytest.raises(UsageError, match="No such file") as caught:
        make_worker_env(tmp_path / "env", str(tmp_path / "nothing"), SILENT, images=images)
    assert caught.value.code == "python_unsupported"


def test_the_command_refuses_with_one_object_that_says_why(images, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary").write_text("dear")
    words = (sys.executable, "-m", "agentics", "job", "worker-env", str(tmp_path / "mine"), "--json")
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    told = json.loads(said.stdout)
    assert (said.returncode, told["ok"], told["error"]["code"]) == (2, False, "directory_in_use")
    assert said.stderr == ""
