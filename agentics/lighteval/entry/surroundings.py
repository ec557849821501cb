"""What has to be so before LightEval is imported: nothing is downloaded, nothing written where a user would see it.

Each line is there because LightEval, or something it imports, does otherwise by itself.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

from agentics.lighteval.entry import hubwatch

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
ALWAYS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "DO_NOT_TRACK": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "GIT_PYTHON_REFRESH": "quiet",
    "TOKENIZERS_PARALLELISM": "false",
}
_DOWNLOADING = ("tiny_benchmarks", "mt_bench.main", "mix_eval.main")
"""Modules that ask for something in a network when they are imported, or break with what is installed."""


def arrange(home: Path, *, online: bool) -> None:
    """`home`: where whatever wants to write may. Call it before anything of LightEval is imported."""
    for name, value in {**ALWAYS, **({} if online else OFFLINE)}.items():
        os.environ.setdefault(name, value)
    for name, folder in {"HF_HOME": "hf", "NLTK_DATA": "nltk_data", "XDG_CACHE_HOME": "cache"}.items():
        os.environ.setdefault(name, str(home / folder))
    for module in _DOWNLOADING:
        name = f"lighteval.tasks.tasks.{module}"
        sys.modules.setdefault(name, types.ModuleType(name))


def load() -> None:
    """Import what every evaluation needs, so that the sessions that are forked from here share it."""
    import litellm  # noqa: PLC0415 - ten seconds and 700 MB: only a worker that will evaluate pays for them

    # Answers of yesterday's server, in a folder below the current one, are nobody's answers today.
    litellm.cache = None
    litellm.suppress_debug_info = True

    import datasets  # noqa: PLC0415
    import lighteval.pipeline  # noqa: PLC0415
    from lighteval.utils.cache_management import SampleCache  # noqa: PLC0415

    litellm.cache = None  # LightEval has set it again
    datasets.disable_progress_bars()

    def without_files(self: object, model_config: object) -> None:
        """LightEval's cache writes into the model's folder and answers from stale files; ours is outside."""
        self.model_config, self.registry = model_config, None  # type: ignore[attr-defined]

    SampleCache.__init__ = without_files
    if os.environ.get("HF_HUB_OFFLINE") != "1":
        hubwatch.install()
    _ = lighteval.pipeline
