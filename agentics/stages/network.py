"""After a stage with network has failed: whether its network was usable, found out with a container of ours.

What the stage printed is at most a hint which hosts to try. Of a participant's stage it is not even that: then only the
hosts that the operator's own variables name are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from agentics.model.evidence.trial_evidence import ContainerRecord, HostCheck, Trouble
from agentics.model.plan.trial_plan import ContainerPlan
from agentics.pipeline.attempt_tools import MIB, AttemptTools, attempt_tools
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.policy.verdict.unreachable import UnreachableHost, given, suspects
from agentics.sandbox.engine import Limits, Mount
from agentics.sandbox.regular import read_regular

ROLE = "network-probe"
UNREACHABLE = "network_unreachable"
_GUEST = "/agentics"
_LIMITS = Limits(timeout_s=180.0, memory_bytes=256 * MIB, cpu_millis=1000, disk_bytes=MIB)
_SCRIPT_BYTES = 1 << 20
# curl's codes: proxy or host not resolved, no connection, timed out, TLS, receiving, certificate, proxy.
PROBE = r"""
if command -v python3 >/dev/null 2>&1; then exec python3 /agentics/reach.py "$@"; fi
command -v curl >/dev/null 2>&1 || exit 0
set -f
for target in "$@"; do
    case $target in
        tcp://* | dns://*) url="http://${target#*://}" direct='*' ;;
        *) url=$target direct='' ;;
    esac
    why=$(curl -sS -o /dev/null -w '%{time_connect}' --connect-timeout 8 --max-time 16 \
        ${direct:+--noproxy "$direct"} "$url" 2>&1 >/tmp/connected)
    case $target,$?,$(cat /tmp/connected) in
        dns://*,6,* | tcp://*,*,0.000000) word=unreached ;;
        dns://* | tcp://*) word=reached ;;
        *,5,* | *,6,* | *,7,* | *,28,* | *,35,* | *,56,* | *,60,* | *,97,*) word=unreached ;;
        *) word=reached ;;
    esac
    echo "$word $target" ${why%%More details*}
done
"""


def with_fault(
    context: Context, plan: ContainerPlan, record: ContainerRecord, trouble: Trouble, *, trusted: bool
) -> StageFailure:
    """The failure of a stage whose container ended badly: the trouble as given, or the infrastructure's where the stage
    declared network and a host that it needed cannot be reached from here. `trusted`: its log is the challenge's own.

    Raises Interrupted and EngineError.
    """
    tools = attempt_tools(context)
    if tools.network is None or plan.limits.network_access != "enabled" or record.ended not in ("exited", "timed_out"):
        return StageFailure(trouble=trouble, context=context)
    targets = _targets(tools, plan, record, trusted=trusted)
    if not targets:
        return StageFailure(trouble=trouble, context=context)
    checks = _check(tools, plan, trouble.stage, targets)
    context = context.with_evidence(host_checks=(*context.evidence.host_checks, *checks))
    return StageFailure(trouble=_decided(trouble, targets, checks), context=context)


def _targets(
    tools: AttemptTools, plan: ContainerPlan, record: ContainerRecord, *, trusted: bool
) -> tuple[UnreachableHost, ...]:
    network = tools.network
    ours = given(network.environment) if network is not None else ()
    if not trusted:
        return ours
    log = tools.keep.path(record.log_ref).read_bytes() if record.log_ref is not None else b""
    return tuple(dict.fromkeys((*suspects(log, _script(tools.challenge, plan)), *ours)))


def _script(challenge: Path, plan: ContainerPlan) -> bytes:
    """The text of the files of the bundle that the command names."""
    names = (argument.removeprefix("/challenge/") for argument in plan.argv)
    inside = (name for name in names if not name.startswith("/") and ".." not in name.split("/"))
    found = (read_regular(challenge, name, _SCRIPT_BYTES) for name in inside)
    return b"\n".join(data for data in found if isinstance(data, bytes))


def _check(
    tools: AttemptTools, plan: ContainerPlan, stage: str, targets: Sequence[UnreachableHost]
) -> tuple[HostCheck, ...]:
    """Try the hosts from a container with the stage's image, user, network and variables, and none of its places."""
    template = tools.container(plan)
    network = tools.network
    container = replace(
        template,
        role=ROLE,
        argv=("sh", "-c", PROBE, "agentics-reach", *(target.argument for target in targets)),
        cwd="/",
        user=tools.users.argument(plan.image),  # never the supervisor, who is root
        limits=_LIMITS,
        mounts=(Mount(source=tools.paths["guest"], target=_GUEST), *(network.mounts if network else ())),
        labels={**template.labels, "org.agentics.role": ROLE},
        stdio="log",
        capabilities=(),
        gpus=0,
    )
    ended = tools.engine.start(container).wait()
    tools.check_interrupted()
    return tuple(_read(stage, targets, tools.redactor.known_bytes(ended.log)))


def _read(stage: str, targets: Sequence[UnreachableHost], said: bytes) -> Iterator[HostCheck]:
    lines = [line.split(" ", 2) for line in said.decode("utf-8", "replace").splitlines()]
    found = {line[1]: line for line in lines if len(line) > 1}
    for target in targets:
        word, _, *detail = found.get(target.argument, ("", ""))
        reached = {"reached": True, "unreached": False}.get(word)
        why = "".join(detail).strip() if reached is False else ""
        yield HostCheck(stage=stage, host=target.host, port=target.port, reached=reached, detail=why)


def _decided(trouble: Trouble, targets: Sequence[UnreachableHost], checks: Sequence[HostCheck]) -> Trouble:
    for target, check in zip(targets, checks, strict=True):
        if check.reached is False:
            message = f"{trouble.stage} could not use the network: {target.name}: {check.detail}; {trouble.message}"
            return Trouble(
                stage=trouble.stage, code=UNREACHABLE, message=message, fault="infrastructure", retryable=True
            )
    if all(check.reached is None for check in checks):
        names = ", ".join(target.name for target in targets)
        why = f"its image has neither python3 nor curl to try whether {names} can be reached"
    else:
        why = f"{', '.join(target.name for target in targets)} can be reached"
    return trouble.model_copy(update={"message": f"{trouble.message}; {why}"})
