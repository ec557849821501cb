"""Three tasks for LightEval: capitals, sums, and capitals again as a choice of four."""

from pathlib import Path

from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc

DATA = Path(__file__).parent / "data"


def question(line, task_name=None):
    return Doc(
        task_name=task_name,
        query=f"Question: {line['question']}\nAnswer:",
        choices=[line["answer"]],
        gold_index=0,
        instruction="Answer with one word.\n",
    )


def choice(line, task_name=None):
    return Doc(
        task_name=task_name,
        query=line["question"],
        choices=[f" {text}" for text in line["choices"]],
        gold_index=line["gold"],
    )


def task(name, folder, prompt, metrics, size):
    return LightevalTaskConfig(
        name=name,
        prompt_function=prompt,
        hf_repo=str(DATA / folder),
        hf_subset="default",
        hf_avail_splits=["train", "test"],
        evaluation_splits=["test"],
        few_shots_split="train",
        few_shots_select="sequential",
        metrics=metrics,
        generation_size=size,
        stop_sequence=["\n"],
        version=1,
    )


TASKS_TABLE = [
    task("quick_capitals", "capitals", question, [Metrics.exact_match, Metrics.f1_score], 16),
    task("quick_sums", "sums", question, [Metrics.exact_match], 8),
    task("quick_geo", "geo", choice, [Metrics.loglikelihood_acc], -1),
]
