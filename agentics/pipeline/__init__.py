"""The stage contract and the one loop that carries a plan out.

`agentics.pipeline.run` is found when it is asked for: whoever only reads plans (`agentics.pipeline.ir`) imports no
runner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentics.pipeline.contract.stage import Context as Context
    from agentics.pipeline.contract.stage import StageFailure as StageFailure
    from agentics.pipeline.loop import run as run

_PLACES = {"run": "loop", "Context": "contract.stage", "StageFailure": "contract.stage"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module has under that name
    if name not in _PLACES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
