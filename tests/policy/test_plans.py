"""Plans are data: compiled without an engine, the same on every machine, and held against golden files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from agentics.errors import UsageError
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.plan.trial_plan import ContainerPlan, Plan
from agentics.policy.bundle.checks import read_challenge
from agentics.policy.planning import plan
from agentics.policy.topologies.parts import PlanRequest

BUNDLES = Path(__file__).parents[2] / "bundles"
GOLDEN = Path(__file__).parent / "golden"
CASES = [
    ("range-sums", "validation"),
    ("range-sums", "official"),
    ("grid-escape", "official"),
    ("parcel-packing", "official"),
    ("guess-the-number", "validation"),
    ("guess-the-number", "official"),
    ("window-medians", "validation"),
]


def challenge(name):
    return read_challenge((BUNDLES / name / "v1" / "spec.json").read_bytes()).value


def compiled(name, mode, **more) -> Plan:
    bundle = challenge(name)
    manifest = SolutionManifest.model_validate(
        {
            "protocol": "zip_project",
            "protocol_version": 1,
            "commands": {"setup": "scripts/setup.sh", "build": "scripts/build.sh", "run": "scripts/run.sh"},
        }
    )
    return plan(PlanRequest(challenge=bundle, target=bundle.targets[0], manifest=manifest, mode=mode, **more))


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_plan_is_what_its_golden_file_says(name, mode):
    golden = GOLDEN / f"{name}.{mode}.json"
    text = json.dumps(compiled(name, mode).model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("AGENTICS_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert golden.read_text() == text


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_plan_survives_being_written_and_read(name, mode):
    original = compiled(name, mode)
    assert Plan.model_validate_json(original.model_dump_json()) == original


@pytest.mark.parametrize("place", ["challenge", "session", "setup", "output", "metadata", "solution_runs", "guest"])
def test_a_container_of_participant_code_cannot_be_given_a_private_place(place):
    cases = next(s for s in compiled("range-sums", "official").stages if s.name == "cases")
    container = cases.options["container"]
    container["mounts"].append({"place": place, "target": "/x", "writable": False})
    with pytest.raises(ValidationError, match="participant code"):
        ContainerPlan.model_validate(container)


def test_a_container_of_participant_code_cannot_run_as_the_evaluator():
    cases = next(s for s in compiled("range-sums", "official").stages if s.name == "cases")
    with pytest.raises(ValidationError, match="participant code"):
        ContainerPlan.model_validate({**cases.options["container"], "user": "evaluator"})


def test_a_phase_without_a_script_is_not_planned():
    bundle = challenge("range-sums")
    manifest = SolutionManifest.model_validate(
        {"protocol": "zip_project", "protocol_version": 1, "commands": {"run": "run.sh"}}
    )
    request = PlanRequest(challenge=bundle, target=bundle.targets[0], manifest=manifest, mode="validation")
    assert [stage.name for stage in plan(request).stages] == ["prepare", "cases", "evaluate", "read_result"]


def test_setup_dir_is_given_to_a_coexecuted_evaluator_only_when_a_setup_runs():
    (evaluate,) = [s for s in compiled("window-medians", "validation").stages if s.name == "evaluate"]
    assert "--setup-dir" not in evaluate.options["container"]["argv"]


def test_a_separated_evaluator_is_not_told_the_target():
    (evaluate,) = [s for s in compiled("range-sums", "official").stages if s.name == "evaluate"]
    assert "--target" not in evaluate.options["container"]["argv"]


def test_no_plan_speaks_of_a_path_on_the_host():
    text = compiled("range-sums", "official").model_dump_json()
    assert str(BUNDLES) not in text
    assert str(Path.home()) not in text


def run_container(plan: Plan) -> ContainerPlan:
    options = next(stage.options for stage in plan.stages if stage.name in ("cases", "session"))
    return ContainerPlan.model_validate(options.get("container") or options["solution"])


def test_a_plain_plan_says_nothing_of_bindings_and_integration():
    written = json.loads(compiled("range-sums", "validation").model_dump_json())
    assert not {"bindings", "integration"} & written.keys()


@pytest.mark.parametrize("name", ["range-sums", "guess-the-number"])
@pytest.mark.parametrize("more", [{"bindings": {"x": 1}}, {"integration": "sdk_control"}])
def test_only_the_run_container_of_a_variant_that_is_not_plain_is_lent_control_and_state(name, more):
    plain, lent = compiled(name, "validation"), compiled(name, "validation", **more)
    assert json.loads(lent.model_dump_json()).items() >= more.items()
    assert Plan.model_validate_json(lent.model_dump_json()) == lent
    before, after = run_container(plain), run_container(lent)
    assert {(m.target, m.place, m.writable) for m in after.mounts} - {
        (m.target, m.place, m.writable) for m in before.mounts
    } == {("/agentics-control", "control", False), ("/agentics-state", "state", True)}
    assert dict(after.env.items() - before.env.items()) == {
        "AGENTICS_CONTROL_PATH": "/agentics-control/control.json",
        "AGENTICS_BINDINGS_PATH": "/agentics-control/bindings.json",
        "AGENTICS_EVENTS_PATH": "/agentics-state/events.jsonl",
        "AGENTICS_CHECKPOINTS_DIR": "/agentics-state/checkpoints",
    }
    assert before.env.items() <= after.env.items()
    others = [stage for stage in lent.stages if stage.name not in ("cases", "session")]
    assert others == [stage for stage in plain.stages if stage.name not in ("cases", "session")]
    assert "agentics-control" not in json.dumps([stage.options.get("evaluator") for stage in lent.stages])


@pytest.mark.parametrize(
    ("more", "code"),
    [({"bindings": {"x": 1}}, "bindings_unsupported"), ({"integration": "cli_events"}, "integration_unsupported")],
)
def test_a_coexecuted_challenge_refuses_what_it_cannot_give_a_solution(more, code):
    with pytest.raises(UsageError, match="window-medians") as refused:
        compiled("window-medians", "validation", **more)
    assert refused.value.code == code


def test_a_container_of_participant_code_cannot_write_to_what_it_is_told():
    container = run_container(compiled("range-sums", "validation", bindings={"x": 1})).model_dump(mode="json")
    next(mount for mount in container["mounts"] if mount["place"] == "control")["writable"] = True
    with pytest.raises(ValidationError, match="control"):
        ContainerPlan.model_validate(container)
