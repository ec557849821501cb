"""The key of a setup's product: another one for everything that the product depends on, and for nothing else."""

from __future__ import annotations

import pytest

from agentics.model.evidence.setup_record import SetupInputs
from agentics.model.plan.trial_plan import ChallengeSetup
from agentics.policy.bundle.setups import ChallengeDigests, setup_inputs, setup_key
from tests.policy.test_plans import compiled

DIGESTS = ChallengeDigests(bundle_digest="sha256:b", overlay_digests=("sha256:1", "sha256:2"), tree_digest="sha256:t")
GIVEN = {"image": ("sha256:i", ()), "run_by": ("10002:10002", None), "network": "sha256:n"}


@pytest.fixture
def planned():
    """The official plan of a shipped challenge that has a setup, and that setup."""
    found = compiled("grid-escape", "official")
    (stage,) = [stage for stage in found.stages if stage.name == "challenge_setup"]
    return found, ChallengeSetup.model_validate(stage.options)


@pytest.fixture
def inputs(planned) -> SetupInputs:
    return setup_inputs(*planned, DIGESTS, **GIVEN)


CHANGES = {
    "version": 2,
    "agentics_version": "another",
    "bundle_digest": "sha256:c",
    "overlay_digests": ("sha256:2", "sha256:1"),
    "challenge_digest": "sha256:u",
    "target": "another",
    "mode": "validation",
    "manifest_file": None,
    "image_id": "sha256:j",
    "relaxed": ("network",),
    "user": "0:0",
    "runtime": "runsc",
    "network": "sha256:m",
}


@pytest.mark.parametrize("field", [*CHANGES, "container"])
def test_every_input_makes_another_key(inputs, field):
    changed = CHANGES.get(field, inputs.container.model_copy(update={"env": {"A": "b"}}))
    assert setup_key(inputs) != setup_key(inputs.model_copy(update={field: changed}))


def test_no_input_is_forgotten():
    assert SetupInputs.model_fields.keys() == CHANGES.keys() | {"container"}


def test_equal_inputs_have_an_equal_key_in_whatever_order_the_relaxations_come(planned):
    one, other = (
        setup_inputs(*planned, DIGESTS, **{**GIVEN, "image": ("sha256:i", relaxed)})
        for relaxed in (("network", "writable_root"), ("writable_root", "network"))
    )
    assert setup_key(one) == setup_key(other)
    assert setup_key(one).startswith("sha256:")


@pytest.mark.parametrize(
    ("access", "relaxed", "counts"),
    [("disabled", (), False), ("loopback", (), False), ("enabled", (), True), ("disabled", ("network",), True)],
)
def test_network_settings_count_for_a_setup_that_has_a_network(planned, access, relaxed, counts):
    found, setup = planned
    limits = setup.container.limits.model_copy(update={"network_access": access})
    setup = setup.model_copy(update={"container": setup.container.model_copy(update={"limits": limits})})
    keys = {
        setup_key(setup_inputs(found, setup, DIGESTS, **{**GIVEN, "image": ("sha256:i", relaxed), "network": network}))
        for network in ("", "sha256:n")
    }
    assert len(keys) == (2 if counts else 1)


def test_the_inputs_name_the_whole_command_and_the_limits(inputs):
    written = inputs.model_dump(mode="json")["container"]
    assert written["argv"][-2:] == ["--runs-file", "/setup/runs.json"]
    assert written["env"]["AGENTICS_MODE"] == "official"
    assert written["limits"]["timeout_sec"] == 20
