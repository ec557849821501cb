"""A model of a few lines: it adds well, knows some capitals, and says so with confidence where it does not."""

import re

from lighteval.models.abstract_model import LightevalModel
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.prompt_manager import PromptManager
from lighteval.tasks.requests import SamplingMethod
from lighteval.utils.cache_management import SampleCache, cached

KNOWN = {
    "France": "Paris",
    "Japan": "Tokyo",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Norway": "Oslo",
    "Egypt": "Cairo",
    "Peru": "Lima",
    "Greece": "Athens",
    "Austria": "Vienna",
    "Portugal": "Lisbon",
    "Poland": "Warsaw",
    "Ireland": "Dublin",
}


def answer(text):
    numbers = re.findall(r"(\d+) \+ (\d+)", text)
    if numbers:
        return str(sum(map(int, numbers[-1])))
    places = re.findall(r"capital of (\w+)", text)
    return KNOWN.get(places[-1], "Springfield") if places else ""


class Lookup(LightevalModel):
    def __init__(self, config):
        self.config = config
        self.prompt_manager = PromptManager(use_chat_template=False, tokenizer=None, system_prompt=config.system_prompt)
        self._cache = SampleCache(config)

    tokenizer = property(lambda self: None)
    add_special_tokens = property(lambda self: False)
    max_length = property(lambda self: 4096)

    @cached(SamplingMethod.GENERATIVE)
    def greedy_until(self, docs):
        return [ModelResponse(text=[answer(doc.query)] * doc.num_samples, input=doc.query) for doc in docs]

    @cached(SamplingMethod.LOGPROBS)
    def loglikelihood(self, docs):
        return [self._choose(doc) for doc in docs]

    @cached(SamplingMethod.PERPLEXITY)
    def loglikelihood_rolling(self, docs):
        raise NotImplementedError

    def _choose(self, doc):
        known = answer(doc.query)
        logprobs = [0.0 if choice.strip() == known else -1.0 - place for place, choice in enumerate(doc.choices)]
        best = max(range(len(logprobs)), key=logprobs.__getitem__)
        return ModelResponse(
            input=doc.query, logprobs=logprobs, argmax_logits_eq_gold=[best == place for place in range(len(logprobs))]
        )
