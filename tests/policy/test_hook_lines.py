"""Lines of a solution's events file that no solution writes in earnest."""

import json

from agentics.policy.hooks import LINE_BYTES, Heard, listen

STEP = {"seq": 1, "event_type": "agent_step_start", "step_index": 0}


def line(size):
    """A step with something beside it, which is ignored, of so many bytes."""
    empty = json.dumps({**STEP, "more": ""})
    return json.dumps({**STEP, "more": "x" * (size - len(empty))}).encode() + b"\n"


def test_a_line_that_is_too_long_does_not_count():
    assert listen(line(LINE_BYTES), Heard()).refused == 0
    heard = listen(line(LINE_BYTES + 1), Heard())
    assert heard.refused == 1
    assert heard.order.open_step is None
