"""What the operator may give to stages that declare network: which variables, which of them are secret, and digests.

The names that a bundle's contract sets are not the operator's to set. Values are never written: evidence has the names
and one digest.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote

from agentics.content import digest_of
from agentics.model.evidence.trial_evidence import NetworkUse, Trouble
from agentics.model.plan.trial_plan import Plan
from agentics.policy.publish.redact import Redactor, secrets_in, shows_secret
from agentics.policy.publish.secrets import is_secret

FORBIDDEN = "network_forbidden"
FOLDER = "/agentics-network"
CA_FILE = "ca-bundle.pem"
WGETRC_FILE = "wgetrc"
CA_PATH = f"{FOLDER}/{CA_FILE}"
CA_VARIABLES = {
    "SSL_CERT_FILE": CA_PATH,  # uv, Python's ssl, curl and whatever else uses OpenSSL's defaults
    "REQUESTS_CA_BUNDLE": CA_PATH,  # Python's requests
    "PIP_CERT": CA_PATH,
    "CURL_CA_BUNDLE": CA_PATH,
    "GIT_SSL_CAINFO": CA_PATH,  # git reads none of the above
    "NODE_EXTRA_CA_CERTS": CA_PATH,  # node and npm
    "CARGO_HTTP_CAINFO": CA_PATH,
    "WGETRC": f"{FOLDER}/{WGETRC_FILE}",  # wget with GnuTLS takes a CA file from its configuration only
}
"""The variables that name the CA bundle inside a container; each was tried with the program beside it."""
WGETRC = f"ca_certificate = {CA_PATH}\n"

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")
_CONTRACT_NAMES = frozenset({"HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE"})
_CONTRACT_PREFIX = "AGENTICS_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER_AND_HOST = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?P<user>[^\s/@]+)@[^\s@]+")
_KEY = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_+=-]{16,}")
_PLACEHOLDER_NAME = "secret"


def refusal(name: str) -> str | None:
    """Why the operator cannot set a variable of this name, or None."""
    if _NAME.fullmatch(name) is None:
        return f"{name!r} is not the name of an environment variable"
    if name in _CONTRACT_NAMES or name.startswith(_CONTRACT_PREFIX):
        return f"{name} is set by the bundle contract"
    return None


def both_spellings(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with every proxy under its lower-case and its upper-case name: programs read one or the other."""
    found = dict(environment)
    for lower in _PROXIES:
        for name, other in ((lower, lower.upper()), (lower.upper(), lower)):
            if other in environment:
                found.setdefault(name, environment[other])
    return found


def network_use(environment: Mapping[str, str], ca_digest: str | None) -> NetworkUse:
    """What evidence says of these variables. The digest does not depend on passwords, so it gives nothing away that
    could be guessed."""
    shown = Redactor(secrets_of(environment)).mapping(dict(environment))
    return NetworkUse(names=tuple(sorted(environment)), digest=digest_of(shown), ca_digest=ca_digest)


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """The texts among the values that must not be written anywhere: passwords in URLs, values of secret names, keys."""
    found = {piece for value in environment.values() for piece in _credentials(value)}
    # As values of a secret name they are judged by the same rules as every other secret.
    return secrets_in((), environment, {_PLACEHOLDER_NAME: sorted(found)})


def stages_with_network(plan: Plan) -> tuple[str, ...]:
    """The stages of the plan whose containers declare network, in order. A model's worker counts as one."""
    found = [
        stage.name
        for stage in plan.stages
        if stage.enabled
        and any(_declares_network(stage.options.get(side)) for side in ("container", "solution", "evaluator"))
    ]
    worker = plan.worker
    if worker is not None and "enabled" in {worker.network, *((worker.judges.network,) if worker.judges else ())}:
        found.append("worker")
    return tuple(found)


def forbidden(plan: Plan) -> Trouble | None:
    """Why the plan cannot be carried out where the operator allows no network, or None when it needs none."""
    stages = stages_with_network(plan)
    if not stages:
        return None
    message = f"{', '.join(stages)} declare{'s' * (len(stages) == 1)} network, which agentics.toml forbids here"
    return Trouble(stage=stages[0], code=FORBIDDEN, message=message, fault="infrastructure")


def _declares_network(container: object) -> bool:
    return isinstance(container, dict) and container["limits"]["network_access"] == "enabled"


def _credentials(value: str) -> Iterator[str]:
    for word in re.split(r"[\s,]+", value):
        if (match := _USER_AND_HOST.fullmatch(word)) is not None:
            user = match["user"]
            name, colon, password = user.partition(":")
            yield password if colon else name
            # A short password cannot be looked for by itself; together with what stands around it, it can.
            yield f"//{user}@"
            # Programs that show their requests show this header.
            yield base64.b64encode(unquote(user).encode()).decode()
        for name, item in parse_qsl(word.partition("?")[2].partition("#")[0]):
            if is_secret(name, item):
                yield item
        if _KEY.fullmatch(word) is not None or ("://" not in word and shows_secret(word)):
            yield word
