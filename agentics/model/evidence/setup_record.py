"""What is known of the product of a challenge's setup: what it depends on, and how an attempt came by it."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt

from agentics.model.document.record import Mode, Record
from agentics.model.plan.trial_plan import ContainerPlan
from agentics.model.run.outcome import UtcTimestamp


class SetupInputs(Record):
    """Everything that the product depends on. Two setups with equal inputs leave the same kind of product, so that one
    can stand for the other.

    `agentics_version` and `version` stand for what this program does around the container. `challenge_digest`: of the
    tree at /challenge, modes included; bundle and overlays are named beside it, in their order. `user`: who ran it.
    `runtime`: what ran its container, None for the engine's default.
    `network`: a digest of the operator's network settings, None for a setup without a network.
    """

    version: int
    agentics_version: str
    bundle_digest: str
    overlay_digests: tuple[str, ...]
    challenge_digest: str
    target: str
    mode: Mode
    container: ContainerPlan
    manifest_file: str | None
    image_id: str
    relaxed: tuple[str, ...]
    user: str
    runtime: str | None
    network: str | None


class KeptSetup(Record):
    """The record of a kept product, beside it in the store. `form`: a file-system image, or the plain tree. `bytes`:
    what it takes on the disk. `listing` and `content`: digests of the product, as `sandbox.fingerprint` takes them."""

    schema_version: Literal["kept_setup_v1"] = "kept_setup_v1"
    key: str
    made_at: UtcTimestamp
    form: Literal["image", "tree"]
    bytes: NonNegativeInt
    listing: str
    content: str
    inputs: SetupInputs


class SetupRecord(Record):
    """How an attempt came by the product of the challenge's setup. `key` (`sha256:<hex>`) names what it depends on.

    `reused`: an earlier attempt made it, at `made_at`, and no container of this one ran the setup. `product`: a digest
    of it, the same for all attempts that had this very product; None where it is not kept, and so no later attempt can
    have it. `note` says why not, or why an earlier product was not taken.
    """

    key: str
    reused: bool
    made_at: UtcTimestamp
    product: str | None
    note: str | None = None
