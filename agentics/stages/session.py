"""A piped session: evaluator and solution side by side, their bytes carried, limited and kept as a transcript."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from agentics.errors import InvalidDocument
from agentics.model.bundle.manifest import SessionManifest
from agentics.model.document.strict_types import pretty_json
from agentics.model.evidence.trial_evidence import ContainerRecord, SessionRecord, Violation
from agentics.model.plan.trial_plan import RunSession
from agentics.pipeline.attempt_tools import MIB, AttemptTools, attempt_tools
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.policy.topologies.piped import ALIAS
from agentics.policy.verdict.endings import ending_facts
from agentics.sandbox.collect import make_readable, make_writable, usage
from agentics.sandbox.engine import Link, Linked
from agentics.stages.cooperation_mounts import events, mounted
from agentics.stages.evaluate import lay_out_output, within_disk
from agentics.stages.manifest import invalid, lay_out, session_manifest

name = "session"
describe = described(name, "A piped session of evaluator and solution.", RunSession, needs=("trial", "docker"))


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools, wanted = attempt_tools(context), RunSession.model_validate(options)
    try:
        manifest = session_manifest(tools, wanted.manifest)
        _lay_out(tools, wanted, manifest)
    except (InvalidDocument, OSError) as error:
        return StageFailure(trouble=invalid(name, error), context=context)
    with mounted(tools, wanted.solution, ALIAS, tools.users) as mounts:
        env = {"AGENTICS_SESSION_NAME": ALIAS, **mounts.env}
        linked = tools.engine.run_linked(
            tools.container(wanted.solution, own=mounts.own, env=env),
            tools.container(wanted.evaluator),
            Link(limit_bytes=wanted.limit_bytes, transcript_bytes=wanted.transcript_bytes, grace_s=wanted.grace_s),
        )
        tools.check_interrupted()
        said = events(tools, mounts)
    solution = tools.record(name, wanted.solution, linked.solution)
    evaluator = tools.record(name, wanted.evaluator, linked.evaluator)
    context = context.with_container(solution).with_container(evaluator)
    session = _record(tools, wanted, manifest, (solution, evaluator), linked)
    session = session.model_copy(update={"events_ref": said.ref, "events_problem": said.problem})
    tools.keep.append("sessions", session)
    ended = ending_facts(solution, session.violation)
    tools.observe("case_finished", stage=name, case=manifest.session_name, **ended, done=1, total=1)
    context = context.with_evidence(session=session, cases_expected=1)
    return within_disk(context, name, evaluator, wanted.evaluator.limits.disk_limit_mb)


def _lay_out(tools: AttemptTools, wanted: RunSession, manifest: SessionManifest) -> None:
    folder = tools.plain("session")
    inputs = folder / "input"
    inputs.mkdir()
    lay_out(manifest.input_files, tools.paths[wanted.manifest.place], inputs)
    (folder / "session.json").write_text(pretty_json(manifest.model_dump(mode="json")), encoding="utf-8")
    make_readable(folder)  # whatever our own umask is
    io = tools.bounded("io", wanted.solution.limits.disk_limit_mb, tools.users.solution)
    for each in ("output", "tmp"):
        (io.path / each).mkdir()
    make_writable(io.path, uid=tools.users.solution)
    lay_out_output(tools, wanted.evaluator.limits.disk_limit_mb)


def _record(
    tools: AttemptTools,
    wanted: RunSession,
    manifest: SessionManifest,
    ended: tuple[ContainerRecord, ContainerRecord],
    linked: Linked,
) -> SessionRecord:
    limit = wanted.solution.limits.disk_limit_mb
    places = "/io or /agentics-state" if wanted.solution.mounts_place("state") else "/io"
    over = ended[0].ended == "disk_limit" or usage(tools.paths["io"])[0] > limit * MIB
    return SessionRecord(
        session_name=manifest.session_name,
        solution=ended[0],
        evaluator=ended[1],
        first_to_end=linked.first_to_end,
        first_to_fail=linked.first_to_fail,
        evaluator_waiting=linked.evaluator_waiting,
        solution_bytes=linked.solution_bytes,
        evaluator_bytes=linked.evaluator_bytes,
        transcript_ref=tools.keep.put_bytes(_transcript(linked)) if linked.transcript else None,
        transcript_truncated=linked.transcript_truncated,
        violation=Violation(kind="disk_limit", detail=f"{places} holds more than {limit} MiB") if over else None,
    )


def _transcript(linked: Linked) -> bytes:
    """One JSON line for each chunk; bytes that are not text are base64."""
    return b"".join(_line(spoken.speaker, spoken.at_s, spoken.data) for spoken in linked.transcript)


def _line(speaker: str, at_s: float, data: bytes) -> bytes:
    said: dict[str, object] = {"speaker": speaker, "at_s": round(at_s, 6)}
    try:
        said["text"] = data.decode()
    except UnicodeDecodeError:
        said["base64"] = base64.b64encode(data).decode()
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"
