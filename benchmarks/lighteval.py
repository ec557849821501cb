"""What a job costs: `agentics job run` beside plain LightEval in a container of the same image, on the same model.

    python benchmarks/lighteval.py [--rounds 3] [--documents 200]

Three tasks (two that generate, one of log-probabilities) share the documents; the model is a small GPT-2 with random
weights that the image makes. Every round runs both in random order; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMAGE = "agentics-lighteval"
PLUGINS = Path(__file__).parents[1] / "docs" / "examples" / "plugins"
MAKE = """
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
bpe = ByteLevelBPETokenizer()
bpe.train_from_iterator(open("/plugin/data/all.txt"), vocab_size=600, min_frequency=1, special_tokens=["<|end|>"])
end = "<|end|>"
tokens = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, bos_token=end, eos_token=end, unk_token=end,
                                 pad_token=end, model_max_length=256)
torch.manual_seed(0)
config = GPT2Config(vocab_size=len(tokens), n_positions=256, n_embd=256, n_layer=6, n_head=4, bos_token_id=0,
                    eos_token_id=0)
GPT2LMHeadModel(config).save_pretrained("/model")
tokens.save_pretrained("/model")
"""
PLAIN = """
import os, sys, types
for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ[name] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
for module in ("tiny_benchmarks", "mt_bench.main", "mix_eval.main"):
    sys.modules[f"lighteval.tasks.tasks.{module}"] = types.ModuleType(module)
os.symlink("/model", "model")
from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.models.transformers.transformers_model import TransformersModelConfig
from lighteval.pipeline import ParallelismManager, Pipeline, PipelineParameters
parameters = PipelineParameters(launcher_type=ParallelismManager.ACCELERATE, bootstrap_iters=0,
                                custom_tasks_directory="/plugin/tasks.py")
pipeline = Pipeline(tasks="quick_capitals|2,quick_sums|0,quick_geo|1", pipeline_parameters=parameters,
                    evaluation_tracker=EvaluationTracker(output_dir="out", save_details=True),
                    model_config=TransformersModelConfig(model_name="model", dtype="float32", batch_size=8))
pipeline.evaluate()
pipeline.save_and_push_results()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentics-bench-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        prepare(root, options.documents)
        seconds: dict[str, list[float]] = {"lighteval": [], "agentics": []}
        for number in range(options.rounds):
            legs = [("lighteval", lambda: plain(root)), ("agentics", lambda number=number: ours(root, number))]
            random.shuffle(legs)
            for name, leg in legs:
                began = time.monotonic()
                leg()
                seconds[name].append(time.monotonic() - began)
        for name, values in seconds.items():
            print(f"{name:10} {statistics.median(values):6.2f} s  ({min(values):.2f}-{max(values):.2f})")
        ratios = [one / other for one, other in zip(seconds["agentics"], seconds["lighteval"], strict=True)]
        print(f"ratio      {statistics.median(ratios):6.2f}    ({min(ratios):.2f}-{max(ratios):.2f})")


def prepare(root: Path, documents: int) -> None:
    """A plugin with so many documents, a checkpoint, and the job."""
    shutil.copytree(PLUGINS / "quick-tasks", root / "plugin")
    share = -(-documents // 3)
    texts = []
    for file in sorted((root / "plugin" / "data").rglob("test.jsonl")):
        rows = file.read_text(encoding="utf-8").splitlines()
        many = [rows[place % len(rows)].replace("?", f" ({place})?") for place in range(share)]
        file.write_text("".join(f"{row}\n" for row in many), encoding="utf-8")
        texts += many
    (root / "plugin" / "data" / "all.txt").write_text("\n".join(texts), encoding="utf-8")
    (root / "model").mkdir(mode=0o777)
    (root / "model").chmod(0o777)
    contained(root, MAKE, writable=True)
    backend = {"type": "accelerate", "model_name": "acme/small", "model_path": "model"}
    tasks = [{"id": "quick_capitals", "fewshot": 2}, {"id": "quick_sums"}, {"id": "quick_geo", "fewshot": 1}]
    spec = {
        "backend": {**backend, "options": {"dtype": "float32", "batch_size": 8}},
        "tasks": tasks,
        "custom_plugins": [{"name": "quick-tasks", "version": "1.0.0", "path": "plugin"}],
        "artifacts": {"output_dir": str(root / "artifacts"), "save_details": True},
    }
    (root / "job.json").write_text(json.dumps(spec), encoding="utf-8")


def plain(root: Path) -> None:
    contained(root, PLAIN)


def ours(root: Path, number: int) -> None:
    words = (
        "job",
        "run",
        root / "job.json",
        "--run-id",
        f"bench-{number}",
        "--output-path",
        root / "outputs",
        "--quiet",
    )
    subprocess.run([sys.executable, "-m", "agentics", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def contained(root: Path, code: str, *, writable: bool = False) -> None:
    mounts = (f"{root}/plugin:/plugin:ro", f"{root}/model:/model{'' if writable else ':ro'}")
    argv = [
        *("docker", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--init"),
        *("--security-opt", "no-new-privileges", "--user", "10002:10002", "--tmpfs", "/tmp:exec", "-w", "/tmp"),
        *("-e", "HOME=/tmp", "-e", "PYTHONDONTWRITEBYTECODE=1"),
        *(word for mount in mounts for word in ("-v", mount)),
        *(IMAGE, "python3", "-c", code),
    ]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
