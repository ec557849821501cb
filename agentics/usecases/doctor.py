"""Examines this machine: everything that an evaluation needs, each as one check with its fix."""

from __future__ import annotations

import os
from collections.abc import Iterator

from agentics.config import EVALUATOR_UID, Config
from agentics.errors import AgenticsError, ConfigError, EngineMissing
from agentics.policy.verdict.unreachable import loopback_proxies
from agentics.request.granted_network import granted
from agentics.runner.machine import open_engine, open_scratch, scratch_root, setup_store, user_mode
from agentics.runner.runtimes import named
from agentics.sandbox.engine import EngineFacts
from agentics.sandbox.kept_setups import size_text
from agentics.sandbox.network import ca_bundle
from agentics.sandbox.probe import MachineCheck, checks
from agentics.sandbox.setups import SetupStore


def examine(config: Config, *, whole_setups: bool = False) -> list[MachineCheck]:
    """All checks, in the order in which they build on one another. Never raises for what it is there to find.

    `whole_setups`: kept setups are read to the last byte, which takes a second for each GiB or so."""
    network = MachineCheck(
        name="network", ok=True, severity="warning", detail=f"a stage that declares it gets {granted(config)}"
    )
    try:
        with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
            store = setup_store(config, scratch)
            found = [*checks(engine, scratch, scratch_root(config), named(config)), _users(config, engine.facts())]
            found.append(_kept_setups(store, whole=whole_setups))
    except EngineMissing as error:
        found = [MachineCheck(name="engine", ok=False, severity="error", detail=error.message, fix=error.hint or "")]
    except AgenticsError as error:
        found = [MachineCheck(name=error.code, ok=False, severity="error", detail=error.message, fix=error.hint or "")]
    return [*found, network, *_ca_bundle(config), *_proxies(config)]


def _users(config: Config, facts: EngineFacts) -> MachineCheck:
    """Who runs containers: the kernel counts many resources by user."""

    def check(detail: str, fix: str = "") -> MachineCheck:
        return MachineCheck(name="users", ok=not fix, severity="warning", detail=detail, fix=fix)

    fix = "run as root beside an engine that does not map users: then each has a user of its own"
    match user_mode(facts):
        case "operator":
            return check(f"containers run as you (uid {os.geteuid()}), and share your limits and rights to files", fix)
        case "namespace":
            return check("containers run as the rootless engine's owner, and share that user's limits", fix)
        case "own" if facts.maps_users:
            detail = "the engine maps users (userns-remap): a container's user is not whom we give its files to"
            return check(detail, fix)
        case "own":
            numbers = config.sandbox.uid_range
            own = f"each container of participant code has a user of its own, {numbers[0]} to {numbers[-1]}"
            return check(f"{own}; the challenge's is {EVALUATOR_UID}")


def _kept_setups(store: SetupStore, *, whole: bool) -> MachineCheck:
    def check(detail: str, fix: str = "") -> MachineCheck:
        return MachineCheck(name="kept setups", ok=not fix, severity="warning", detail=detail, fix=fix)

    try:
        found, most = store.report(whole=whole), store.most_bytes
    except OSError as error:
        return check(f"{store.root}: {error.strerror}", "remove it: what setups leave cannot be kept")
    detail = f"{found.count}, {size_text(found.bytes)} of at most {size_text(most)}, in {store.root}"
    if found.changed:
        return check(f"{detail}; {found.changed} are no longer what was kept, and not used", "agentics clean --setups")
    return check(detail)


def _ca_bundle(config: Config) -> Iterator[MachineCheck]:
    try:
        bundle = ca_bundle(config)
    except ConfigError as error:
        yield MachineCheck(name="CA bundle", ok=False, severity="warning", detail=error.message, fix=error.hint or "")
        return
    if bundle is not None:
        detail = f"{bundle.certificates} certificates in {bundle.path}"
        yield MachineCheck(name="CA bundle", ok=True, severity="warning", detail=detail)


def _proxies(config: Config) -> Iterator[MachineCheck]:
    """A proxy on this machine's own loopback is not there for a container."""
    for name in loopback_proxies(config.network.environment):
        detail = f"{name} in agentics.toml names an address that is the container itself"
        fix = "let the proxy listen on an address that containers reach, such as the engine's bridge, and name that one"
        yield MachineCheck(name="proxy", ok=False, severity="warning", detail=detail, fix=fix)
