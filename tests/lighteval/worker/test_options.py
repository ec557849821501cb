"""Every option of every backend changes what LightEval does with it, or is refused by a check."""

from __future__ import annotations

import ast
import json
import subprocess

import pytest

from agentics.lighteval.catalogue import shipped
from agentics.lighteval.support import RESERVED, WITHHELD
from tests.lighteval.environment import ROOT, worker_python
from tests.lighteval.openai_server import FakeOpenAI
from tests.lighteval.worker.conftest import evaluate

pytestmark = pytest.mark.slow

ACCELERATE = {
    "add_special_tokens": False,
    "batch_size": 3,
    "compile": True,
    "dtype": "float64",
    "max_length": 99,
    "model_loading_kwargs": {"attn_implementation": "eager"},
    "model_parallel": True,
    "multichoice_continuations_start_space": True,
    "override_chat_template": True,
    "pairwise_tokenization": True,
    "tokenizer": "TOKENIZER",
    "trust_remote_code": True,
}
LOADED = """
import json, sys, torch, transformers
from agentics.lighteval.entry import models, surroundings
from pathlib import Path
surroundings.arrange(Path(sys.argv[1]).parent, online=False)
calls = []
def spied(owner, name):
    real = getattr(owner, name)
    def call(*args, **kwargs):
        said = sorted((key, str(value)) for key, value in kwargs.items() if key != "config")
        calls.append([name, [a for a in args if isinstance(a, str)], said])
        return real(*args, **kwargs)
    setattr(owner, name, call)
spied(transformers.AutoModelForCausalLM, "from_pretrained")
spied(transformers.AutoTokenizer, "from_pretrained")
spied(transformers.AutoConfig, "from_pretrained")
torch.compile = lambda model, *args, **kwargs: (calls.append(["compile"]), model)[1]
found = {}
for name, value in [(None, None), *json.loads(sys.argv[3]).items()]:
    calls.clear()
    options = {"dtype": "float32", "batch_size": 4, "add_special_tokens": True, **({name: value} if name else {})}
    backend = dict(type="accelerate", model_name="m", model_path=sys.argv[1], system_prompt=None, revision=None,
                   options=options)
    try:
        model = models.load({"backend": backend, "generation": {}}, {})
    except Exception as error:  # it does something: of a tiny model no part can be put on another device
        found[str(name)] = [str(error), list(calls)]
        continue
    plain = {k: v for k, v in vars(model).items() if isinstance(v, (bool, int, str, type(None)))}
    found[str(name)] = [plain, str(model.model.dtype), model.prompt_manager.use_chat_template, list(calls)]
print(json.dumps(found))
"""


def open_to_say(kind):
    known = shipped().options[kind]["properties"]
    return {n for n in known if n not in RESERVED and (kind, n) not in WITHHELD and ("*", n) not in WITHHELD}


def test_every_option_of_accelerate_changes_the_loaded_model(tiny):
    assert open_to_say("accelerate") == set(ACCELERATE)
    tokenizer = tiny.with_name("tokenizer")
    if not tokenizer.exists():
        tokenizer.symlink_to(tiny)
    values = json.dumps({**ACCELERATE, "tokenizer": str(tokenizer)})
    argv = [worker_python(), "-c", LOADED, tiny, "", values]
    env = {"PYTHONPATH": str(ROOT), "HOME": str(tiny.parent), "PATH": ""}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env, cwd=tiny.parent)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    unchanged = [name for name in ACCELERATE if found[name] == found["None"]]
    assert unchanged == []


def test_every_option_of_vllm_is_handed_to_it():
    """Read from LightEval's source: vLLM is not in this environment."""
    source = "import lighteval.models.vllm.vllm_model as m; print(open(m.__file__).read())"
    done = subprocess.run([worker_python(), "-c", source], capture_output=True, text=True, check=True)
    tree = ast.parse(done.stdout[done.stdout.index("# MIT License") :])
    model = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "VLLMModel")
    read = {n.attr for n in ast.walk(model) if isinstance(n, ast.Attribute) and ast.unparse(n.value).endswith("config")}
    read |= {n.attr for n in ast.walk(model) if isinstance(n, ast.Attribute) and n.attr == "max_model_length"}
    assert open_to_say("vllm") - read == set()


OPTIONS = {"timeout": 0.2, "api_max_retry": 0, "api_retry_sleep": 0.001}


@pytest.mark.parametrize("kind", ["endpoint_litellm", "endpoint_inference_providers"])
def test_every_option_of_a_server_changes_how_it_is_asked(worker, kind):
    assert open_to_say(kind) == set(OPTIONS)

    def asked(**options):
        with FakeOpenAI(always=500) as server:
            backend = {"type": kind, "model_name": "tiny", "base_url": server.url, "options": options}
            told = worker.ask(evaluate(backend, max_samples=1))
        (answer,) = told.of("answer")
        return len(server.bodies), answer.error.retries

    # The timeout and the pause are those of test_endpoints: a server that says nothing, and one that comes back.
    assert asked(api_max_retry=0, api_retry_sleep=0.001) == (1, 0)
    assert asked(api_max_retry=2, api_retry_sleep=0.001) == (3, 2)


TASKS = "class _Metric:\n    metric_name = ['a', 'b']\nMETRICS = {'loud': _Metric()}\n"


@pytest.mark.parametrize(
    ("kind", "code", "provides", "lacks"),
    [
        ("metric", TASKS, {"loud": []}, None),
        ("metric", TASKS, {"loud": [], "quiet": []}, "quiet"),
        ("model", "class Mine: pass\n", {"Mine": []}, None),
        ("model", "class Mine: pass\n", {"Mine": [], "Yours": []}, "Yours"),
    ],
)
def test_what_a_manifest_lists_is_in_the_module(worker, tmp_path, kind, code, provides, lacks):
    (tmp_path / "code.py").write_text(code)
    order = evaluate({"type": "dummy", "model_name": "dummy"}, max_samples=1)
    own = {**order["plugins"][1], "name": "own", "type": kind, "path": str(tmp_path), "module": "code.py"}
    told = worker.ask({**order, "plugins": [order["plugins"][0], {**own, "provides": provides}]})
    if lacks is None:
        assert told.one("report").asked == 1
    else:
        assert told.one("failed").code == "plugin_lacks"
        assert lacks in told.one("failed").message


@pytest.mark.parametrize(("provides", "lacks"), [({"quick_capitals": ["em", "f1"]}, None),
                                                 ({"quick_capitals": ["em", "bleu"]}, "bleu"),
                                                 ({"quick_rivers": []}, "quick_rivers")])  # fmt: skip
def test_a_task_has_the_metrics_that_its_manifest_lists(worker, provides, lacks):
    order = evaluate({"type": "dummy", "model_name": "dummy"}, max_samples=1)
    told = worker.ask({**order, "plugins": [{**order["plugins"][0], "provides": provides}]})
    codes = [failed.code for failed in told.of("failed")]
    assert codes == ([] if lacks is None else ["plugin_lacks"])
    assert lacks is None or lacks in told.one("failed").message


PATHS = """
from lighteval.models.abstract_model import LightevalModel, ModelConfig
from lighteval.models.model_output import ModelResponse
class Plain(LightevalModel):
    def __init__(self, config):
        self.config = config
    tokenizer = add_special_tokens = None
    max_length = 9
    def greedy_until(self, docs):
        return [ModelResponse(text=[str(getattr(self.config, "model_path", ""))]) for doc in docs]
    def loglikelihood(self, docs): raise NotImplementedError
    loglikelihood_rolling = loglikelihood
class Takes(Plain):
    class Config(ModelConfig):
        model_path: str
"""


def test_a_custom_model_is_given_its_model_path_or_the_job_is_refused(worker, tmp_path):
    (tmp_path / "model.py").write_text(PATHS)
    backend = {"type": "custom", "model_name": "m", "model_plugin": "own", "model_path": "/models/x"}
    order = evaluate({**backend, "model_class": "Takes"}, max_samples=1)
    own = {**order["plugins"][1], "name": "own", "path": str(tmp_path), "module": "model.py"}
    order["plugins"] = [order["plugins"][0], own]
    assert worker.ask(order).one("answer").response["text"] == ["/models/x"]
    failed = worker.ask({**order, "backend": {**backend, "model_class": "Plain"}}).one("failed")
    assert (failed.code, failed.field) == ("field_unsupported", "/backend/model_path")
