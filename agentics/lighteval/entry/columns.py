"""Types of the columns of the details that hold LightEval's own objects: `doc`, `model_response` and `metric`.

Each is a struct of the fields that LightEval's readers expect. The type of a field is fixed where LightEval's is. If
a task decides, the type is that of the values. Where these have no common type, the field is JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_NUMBER = (int, float)


class Columns:
    """Types that are found by looking at every row once, and then used to write every row.

    A column that is null in every row has the fields that it would have: `metrics` are the names of the task's, each a
    number. So a file without an answer is read beside others.
    """

    def __init__(self, pyarrow: Any, metrics: Iterable[str]) -> None:  # noqa: ANN401 - a module of the worker's
        self._arrow = pyarrow
        self._text = pyarrow.string()
        self._found: dict[str, dict[str, Any]] = {"doc": {}, "model_response": {}, "metric": {}}
        self._fixed = {"doc": _doc_types(pyarrow), "model_response": _response_types(pyarrow), "metric": {}}
        self._blank = {**self._fixed, "metric": dict.fromkeys(metrics, pyarrow.float64())}

    def look(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the values of these rows into account."""
        values: dict[tuple[str, str], list[Any]] = {}
        for row in rows:
            for column in self._found:
                for field, value in (row[column] or {}).items():
                    values.setdefault((column, field), []).append(value)
        for (column, field), each in values.items():
            own = self._found[column]
            own[field] = self._common(own.get(field), self._fixed[column].get(field), each)

    def types(self) -> dict[str, Any]:
        """The type of each of the three columns. One of which no field is known is text: no struct has no field."""
        known = {column: own or self._blank[column] for column, own in self._found.items()}
        return {
            column: self._arrow.struct([(field, self._settled(kind)) for field, kind in sorted(own.items())])
            if own
            else self._text
            for column, own in known.items()
        }

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row as it is written."""
        return {**row, **{column: self._struct(column, row[column]) for column in self._found}}

    def _struct(self, column: str, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if not value:
            return None
        own = self._found[column]
        return {field: _as_text(item) if own[field] == self._text else item for field, item in value.items()}

    def _common(self, before: Any, fixed: Any, values: list[Any]) -> Any:  # noqa: ANN401 - types of pyarrow
        """A type for these values and for those of the type before."""
        arrow = self._arrow
        try:
            kind = fixed or arrow.infer_type(values)
            if before is not None and before != kind:
                both = [arrow.schema([("x", each)]) for each in (before, kind)]
                kind = arrow.unify_schemas(both, promote_options="permissive").field("x").type
            arrow.array(values, type=kind)
            self._settled(kind)
        except (arrow.ArrowException, TypeError, ValueError, OverflowError):
            return self._text
        return kind

    def _settled(self, kind: Any) -> Any:  # noqa: ANN401 - types of pyarrow
        """Without the type of nothing. Raises ValueError for a struct without a field, which no file can hold."""
        arrow = self._arrow
        if arrow.types.is_null(kind):
            return self._text
        if arrow.types.is_list(kind):
            return arrow.list_(self._settled(kind.value_type))
        if arrow.types.is_struct(kind):
            if not kind.num_fields:
                raise ValueError
            return arrow.struct(
                [(kind.field(n).name, self._settled(kind.field(n).type)) for n in range(kind.num_fields)]
            )
        return kind


def lightevals(row: Mapping[str, Any]) -> dict[str, Any]:
    """A detail row with LightEval's own objects in place of its three JSON texts."""
    metric = json.loads(row["metric"]) if row["metric"] else {}
    response = json.loads(row["model_response"]) if row["model_response"] else None
    return {
        **row,
        "doc": _doc(row, json.loads(row["doc"])),
        "model_response": None if response is None else {name: response.get(name) for name in _RESPONSE},
        "metric": {name: float(value) if isinstance(value, _NUMBER) else value for name, value in metric.items()},
    }


def _doc(row: Mapping[str, Any], doc: Mapping[str, Any]) -> dict[str, Any]:
    """With the names of LightEval's `Doc`; an example has its reference answers as choices."""
    examples = [
        {"query": shot["query"], "choices": shot["gold"], "gold_index": list(range(len(shot["gold"])))}
        for shot in doc["fewshot"]
    ]
    own = {name: value for name, value in doc.items() if name != "fewshot"}
    asked = {"task_name": f"{row['task']}|{row['fewshot']}", "sampling_methods": [row["sampling"].upper()]}
    return {**own, **asked, "fewshot_samples": examples}


def _as_text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    return value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _doc_types(pyarrow: Any) -> dict[str, Any]:  # noqa: ANN401 - a module of the worker's
    text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
    example = [("query", text), ("choices", texts), ("gold_index", pyarrow.list_(pyarrow.int64()))]
    return {
        **dict.fromkeys(("query", "instruction", "id", "task_name"), text),
        **dict.fromkeys(("choices", "sampling_methods"), texts),
        "fewshot_samples": pyarrow.list_(pyarrow.struct(example)),
    }


_RESPONSE = (
    *("input", "input_tokens", "text", "output_tokens", "text_post_processed", "reasonings", "logprobs"),
    *("argmax_logits_eq_gold", "logits", "unconditioned_logprobs", "truncated_tokens_count", "padded_tokens_count"),
)
"""The fields of LightEval's `ModelResponse`."""


def _response_types(pyarrow: Any) -> dict[str, Any]:  # noqa: ANN401 - a module of the worker's
    texts, whole = pyarrow.list_(pyarrow.string()), pyarrow.int64()
    numbers = pyarrow.list_(pyarrow.float64())
    return {
        **dict.fromkeys(("text", "text_post_processed", "reasonings"), texts),
        **dict.fromkeys(("logprobs", "unconditioned_logprobs"), numbers),
        **dict.fromkeys(("truncated_tokens_count", "padded_tokens_count"), whole),
        "input_tokens": pyarrow.list_(whole),
        "output_tokens": pyarrow.list_(pyarrow.list_(whole)),
        "argmax_logits_eq_gold": pyarrow.list_(pyarrow.bool_()),
        "logits": pyarrow.list_(numbers),
    }
