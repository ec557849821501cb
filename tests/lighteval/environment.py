"""An interpreter in whose environment LightEval is: a worker as a process of this machine."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from agentics.config import Config
from agentics.runner.machine import build_folders, open_images, open_scratch
from agentics.sandbox.docker.engine import connect_api
from agentics.sandbox.image_building import build_missing
from agentics.sandbox.images import definitions
from agentics.sandbox.steps import Steps

ROOT = Path(__file__).parents[2]
MADE = ROOT / ".setup"
PLUGINS = ROOT / "docs" / "examples" / "plugins"
SITE = "/opt/lighteval"
_TINY = """
import sys, torch
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
lines = [line for path in sys.argv[2:] for line in open(path)]
bpe = ByteLevelBPETokenizer()
bpe.train_from_iterator(lines, vocab_size=400, min_frequency=1, special_tokens=["<|endoftext|>"])
end = "<|endoftext|>"
tokens = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, bos_token=end, eos_token=end, unk_token=end,
                                 pad_token=end, model_max_length=256)
torch.manual_seed(0)
config = GPT2Config(vocab_size=len(tokens), n_positions=256, n_embd=32, n_layer=2, n_head=2, bos_token_id=0,
                    eos_token_id=0)
GPT2LMHeadModel(config).save_pretrained(sys.argv[1])
tokens.save_pretrained(sys.argv[1])
"""


@cache
def worker_image() -> str:
    """The worker's image, made where it is missing; its id."""
    steps = Steps(log=lambda line: print(line, file=sys.stderr))
    with open_images(Config()) as store, open_scratch(Config()) as scratch:
        build_missing(store, ("lighteval",), build_folders(scratch), steps)
        found = store.image(definitions()["lighteval"].reference)
    assert found is not None
    return found.id


@cache
def worker_python() -> Path:
    """AGENTICS_WORKER_PYTHON, or an environment with the packages of the image, for a Python like the image's."""
    named = os.environ.get("AGENTICS_WORKER_PYTHON")
    if named:
        return Path(named)
    assert sys.version_info[:2] == (3, 11), "set AGENTICS_WORKER_PYTHON: the image's packages are for Python 3.11"
    place = MADE / f"worker-{worker_image().removeprefix('sha256:')[:12]}"
    with _alone(place.with_suffix(".lock")):
        if not (place / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", place], check=True)
            _take_out(worker_image(), place)
            packages = place / "lib" / "python3.11" / "site-packages"
            (packages / "lighteval.pth").write_text(f"{place / Path(SITE).name}\n", encoding="utf-8")
            (place / "complete").touch()
    return place / "bin" / "python"


def tiny_checkpoint(folder: Path) -> Path:
    """A checkpoint of 180 KB with random weights, always the same, made in the folder."""
    corpus = sorted(str(path) for path in (PLUGINS / "quick-tasks" / "data").rglob("*.jsonl"))
    script, root = folder / "make.py", folder / "model"
    script.write_text(_TINY, encoding="utf-8")
    subprocess.run([worker_python(), script, root, *corpus], check=True, capture_output=True)
    return root


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process makes the environment: tests run in several processes."""
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _take_out(image: str, place: Path) -> None:
    with connect_api(None) as api:
        container = api.client.create_container(image, ["true"])["Id"]
        try:
            chunks, _ = api.client.get_archive(container, SITE)
            with subprocess.Popen(["tar", "-x", "-C", str(place)], stdin=subprocess.PIPE) as tar:
                assert tar.stdin is not None
                for chunk in chunks:
                    tar.stdin.write(chunk)
            assert tar.returncode == 0
        finally:
            api.client.remove_container(container, force=True)
