"""Which lines of a solution's events file count. The file is a participant's: whatever breaks the order is not heard.

The order: `seq` increases; steps follow each other and are not nested; a step's end is answered by a control_ack of
the same index before the next step; after a stop was acknowledged no step starts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentics.model.evidence.hooks import ControlAck, Hook, HookEvent, StepEnd, StepStart

MOST_LINES = 100_000
LINE_BYTES = 64 << 10
"""A longer line is refused unread: a line of a few megabytes of brackets takes seconds and fifty times its size."""


@dataclass(frozen=True, kw_only=True)
class HookOrder:
    """Where in the order a file stands. `owed`: the step whose acknowledgement is due."""

    seq: int = -1
    last_step: int = -1
    open_step: int | None = None
    owed: int | None = None
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a file has said so far. `offset` counts the bytes of whole lines, `refused` the lines that do not count.
    What stands beyond MOST_LINES is not heard."""

    offset: int = 0
    lines: int = 0
    order: HookOrder = HookOrder()
    acks: tuple[ControlAck, ...] = ()
    refused: int = 0


def listen(data: bytes, heard: Heard) -> Heard:
    """Hear what stands in `data` beyond `heard`. A last line without its end is left for the next time."""
    end = data.rfind(b"\n") + 1
    if end <= heard.offset or heard.lines >= MOST_LINES:
        return heard
    lines = data[heard.offset : end - 1].split(b"\n", MOST_LINES - heard.lines)[: MOST_LINES - heard.lines]
    order, acks, refused = heard.order, [], heard.refused
    for line in lines:
        event = read_line(line)
        if isinstance(event, str) or isinstance(after := follow(order, event), str):
            refused += 1
            continue
        order = after
        if isinstance(event, ControlAck):
            acks.append(event)
    return Heard(offset=end, lines=heard.lines + len(lines), order=order, acks=(*heard.acks, *acks), refused=refused)


def read_line(line: bytes) -> Hook | str:
    """The event, or why the line is none."""
    if len(line) > LINE_BYTES:
        return "the line is too long"
    try:
        return HookEvent.model_validate_json(line).root
    except ValueError:
        return "not a hook event"


def follow(order: HookOrder, event: Hook) -> HookOrder | str:
    """The order after this event, or why it cannot come here."""
    if event.seq <= order.seq:
        return f"seq {event.seq} does not come after {order.seq}"
    order = replace(order, seq=event.seq)
    match event:
        case StepStart():
            return _started(order, event.step_index)
        case StepEnd() if event.step_index != order.open_step:
            return f"step {event.step_index} ends and is not the one that is open"
        case StepEnd():
            return replace(order, open_step=None, owed=event.step_index)
        case ControlAck() if order.owed not in (None, event.step_index):
            return f"step {order.owed} is to be acknowledged, not {event.step_index}"
        case ControlAck():
            return replace(order, owed=None, stopped=order.stopped or event.action_observed == "stop")
        case _:
            return order


def _started(order: HookOrder, step: int) -> HookOrder | str:
    if order.stopped:
        return f"step {step} starts after a stop was acknowledged"
    if order.open_step is not None:
        return f"step {step} starts inside step {order.open_step}"
    if order.owed is not None:
        return f"step {step} starts before step {order.owed} was acknowledged"
    if step <= order.last_step:
        return f"step {step} does not come after {order.last_step}"
    return replace(order, open_step=step, last_step=step)
