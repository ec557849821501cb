"""What the operator's [network] becomes on this machine: variables, and a CA bundle in a place of our own."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentics.config import Config
from agentics.content import sha256_of
from agentics.errors import ConfigError
from agentics.model.evidence.trial_evidence import NetworkUse
from agentics.policy.network import CA_FILE, CA_VARIABLES, FOLDER, WGETRC, WGETRC_FILE, both_spellings, network_use
from agentics.sandbox.engine import Mount
from agentics.sandbox.places import Scratch

_MOST_BYTES = 16 << 20
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_CA_OF_PYTHON = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_HINT = "[network] ca_bundle in agentics.toml names a PEM file of the certificates that stages with network trust"


@dataclass(frozen=True, kw_only=True)
class NetworkAccess:
    """What every container that declares network gets. `use` is what evidence says of it."""

    environment: Mapping[str, str] = field(repr=False)
    mounts: tuple[Mount, ...]
    use: NetworkUse


@dataclass(frozen=True, kw_only=True)
class CaBundle:
    """A CA bundle that OpenSSL can read. `certificates`: how many are in it."""

    path: Path
    data: bytes = field(repr=False)
    certificates: int

    @property
    def digest(self) -> str:
        return sha256_of(self.data)


def open_network(config: Config, scratch: Scratch) -> NetworkAccess | None:
    """Lay out what stages with network get; None where the operator allows no network. Raises ConfigError."""
    if not config.network.allowed:
        return None
    environment = both_spellings(config.network.environment)
    bundle = ca_bundle(config)
    if bundle is None:
        return NetworkAccess(environment=environment, mounts=(), use=network_use(environment, None))
    folder = scratch.plain()
    for name, data in ((CA_FILE, bundle.data), (WGETRC_FILE, WGETRC.encode())):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o444)
    folder.chmod(0o755)
    environment = {**CA_VARIABLES, **environment}
    mounts = (Mount(source=folder, target=FOLDER),)
    return NetworkAccess(environment=environment, mounts=mounts, use=network_use(environment, bundle.digest))


def host_environment(config: Config) -> dict[str, str]:
    """The variables of [network] for a program of this machine, which finds the CA bundle where it lies. Raises
    ConfigError."""
    bundle = ca_bundle(config)
    trusted = dict.fromkeys(_CA_OF_PYTHON, str(bundle.path.absolute())) if bundle is not None else {}
    return {**trusted, **both_spellings(config.network.environment)}


def ca_bundle(config: Config) -> CaBundle | None:
    """The operator's CA bundle, read and checked; a relative path is relative to agentics.toml. None where there is
    none. Raises ConfigError when it cannot be read, holds no certificate, or holds a private key."""
    if config.network.ca_bundle is None:
        return None
    path = (config.source.parent if config.source else Path()) / config.network.ca_bundle
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from error
    if len(data) > _MOST_BYTES:
        raise _wrong(path, f"larger than {_MOST_BYTES >> 20} MiB")
    if b"PRIVATE KEY-----" in data:
        raise _wrong(path, "holds a private key, which containers would be able to read")
    found = data.count(_CERTIFICATE)
    if found == 0:
        raise _wrong(path, "holds no certificate in PEM form")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise _wrong(path, f"holds a damaged certificate ({error})") from error
    return CaBundle(path=path, data=data, certificates=found)


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(f"[network] ca_bundle: {path}: {what}", hint=_HINT)
