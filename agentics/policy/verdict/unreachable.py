"""Which hosts a failed program says it could not reach: read from what well-known programs print, and never believed by
itself. Whether a host can be reached is found out with a container of ours (`sandbox/guest/reach.py`)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Scheme = Literal["https", "http", "tcp", "dns"]
"""What has to work: a TLS connection that is trusted, a web request, a TCP connection, or the name alone."""

MOST_HOSTS = 8
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_LOG_BYTES = 1 << 20
_PORTS: dict[Scheme, int] = {"https": 443, "http": 80}
_SCHEMES: dict[str, Scheme] = {"HTTPS": "https", "443": "https", "HTTP": "http", "80": "http"}
_HOST = r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]+\])"
_PORT = r"(?P<port>\d{1,5})"
_URL = r"(?P<url>https?://[^\s'\"`<>()]+)"
_QUOTE = r"['\"`\u2018]?"

_FAILURES = (
    # curl, git, cargo
    re.compile(rf"Could not resolve (?:host|proxy|hostname): {_HOST}"),
    re.compile(rf"Failed to connect to {_HOST} port {_PORT}"),
    re.compile(rf"unable to access '{_URL}'"),
    # ssh, below git
    re.compile(rf"Could not resolve hostname {_HOST}:"),
    # wget
    re.compile(rf"unable to resolve host address {_QUOTE}{_HOST}"),
    re.compile(rf"Connecting to {_HOST}(?: \([^)\n]{{0,300}}\))?(?:\|[^|\n]{{0,300}}\|)?:{_PORT}\.\.\. failed"),
    re.compile(rf"The certificate of {_QUOTE}(?P<tls>[A-Za-z0-9_.-]+)['\u2019]? (?:is not trusted|doesn.t have)"),
    # pip, and what else uses Python's urllib3
    re.compile(rf"(?P<scheme>HTTPS?)Connection(?:Pool)?\(host='{_HOST}', port={_PORT}\)"),
    re.compile(rf"Could not fetch URL {_URL}: "),
    # aiohttp
    re.compile(rf"Cannot connect to host {_HOST}:{_PORT}"),
    # uv and cargo
    re.compile(rf"error sending request for url \({_URL}\)"),
    re.compile(rf"[Ff]ailed to (?:fetch|download)(?: from)?:? {_QUOTE}{_URL}"),
    # npm and node
    re.compile(rf"request to {_URL} failed"),
    re.compile(rf"getaddrinfo (?:EAI_AGAIN|ENOTFOUND) {_HOST}"),
    re.compile(rf"connect (?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH) {_HOST}:{_PORT}"),
    # apt
    re.compile(rf"Could not resolve '{_HOST}'"),
    re.compile(rf"(?:Could not|Unable to) connect to {_HOST}:{_PORT}"),
    # Go
    re.compile(rf"dial tcp: lookup {_HOST}"),
)
_SIGN = re.compile(
    r"name resolution|Name or service not known|No address associated with hostname|Could not resolve"
    r"|certificate verify failed|CERTIFICATE_VERIFY_FAILED|SSL certificate problem|UnknownIssuer"
    r"|server certificate verification failed|UNABLE_TO_VERIFY_LEAF_SIGNATURE|self[- ]signed certificate"
    r"|Connection refused|ECONNREFUSED|[Cc]onnection timed out|Connection reset by peer|Network is unreachable"
    r"|No route to host|urlopen error|Couldn't connect to server|tcp connect error"
    r"|Tunnel connection failed|CONNECT tunnel failed|HTTP code \d+ from proxy|Proxy Authentication Required"
)
"""What programs print when a network fails them, with or without a host."""
_PIP_WITHOUT_A_HOST = re.compile(r"Retrying \(Retry\(.{0,600}: /simple/")
_PIP_DEFAULT = "https://pypi.org"
_HELP_PAGES = frozenset({"curl.se", "curl.haxx.se", "pip.pypa.io", "docs.npmjs.com"})
"""Pages that programs recommend after a failure."""
_ADDRESSES = re.compile(_URL)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")


@dataclass(frozen=True, kw_only=True)
class UnreachableHost:
    """A host to be tried, and what has to work there."""

    scheme: Scheme
    host: str
    port: int | None

    @property
    def argument(self) -> str:
        """As `reach.py` and curl take it: nothing but a scheme, a host and a port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port is not None else "")

    @property
    def name(self) -> str:
        """As people are told of it."""
        return self.argument.partition("://")[2]


def suspects(log: bytes, script: bytes = b"") -> tuple[UnreachableHost, ...]:
    """The hosts that a failed program of the challenge's may not have reached, the likeliest first; none where its log
    shows no failure of a network. `script`: the program's own text, looked at where the log names no host."""
    text = log[-_LOG_BYTES:].decode("utf-8", "replace")
    named = _of_messages(text)
    if not named and _SIGN.search(text) is None:
        return ()
    if not named:
        default = [_of_url(_PIP_DEFAULT)] if _PIP_WITHOUT_A_HOST.search(text) else []
        named = [*reversed(_of_addresses(text)), *default, *_of_addresses(script.decode("utf-8", "replace"))]
    return _distinct(_beyond_loopback(named))


def loopback_proxies(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that name a proxy on loopback."""
    proxies = ((name, _proxy(value)) for name, value in sorted(environment.items()) if name.lower() in _PROXIES)
    return tuple(name for name, proxy in proxies if proxy is not None and _is_loopback(proxy.host))


def given(environment: Mapping[str, str]) -> tuple[UnreachableHost, ...]:
    """The hosts that the operator's own variables name: proxies, which have to accept connections, and mirrors."""
    found: list[UnreachableHost | None] = []
    for name, value in sorted(environment.items()):
        if name.lower() in _PROXIES:
            found.append(_proxy(value))
        else:
            words = (word for word in re.split(r"[\s,]+", value) if _ADDRESSES.match(word))
            found.extend(_beyond_loopback(map(_of_url, words)))
    return _distinct(found)


def _of_messages(text: str) -> list[UnreachableHost | None]:
    """What failure messages name, the last message first."""
    matches = (match for pattern in _FAILURES for match in pattern.finditer(text))
    return [_of_match(match) for match in sorted(matches, key=lambda match: -match.start())]


def _of_match(match: re.Match[str]) -> UnreachableHost | None:
    said = match.groupdict()
    if said.get("url") is not None:
        return _of_url(said["url"])
    if said.get("tls") is not None:
        return _target("https", said["tls"], 443)
    if said.get("port") is None:
        return _target("dns", said["host"], None)
    port = int(said["port"])
    return _target(_SCHEMES.get(said.get("scheme") or said["port"], "tcp"), said["host"], port)


def _of_addresses(text: str) -> list[UnreachableHost | None]:
    return [_of_url(match["url"]) for match in _ADDRESSES.finditer(text)]


def _of_url(url: str) -> UnreachableHost | None:
    try:
        parts = urlsplit(url.rstrip(".,;:"))
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in ("https", "http") or host is None:
        return None
    known: Scheme = "https" if scheme == "https" else "http"
    return _target(known, host, port or _PORTS[known])


def _proxy(value: str) -> UnreachableHost | None:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 1080)
        return _target("tcp", parts.hostname or "", port)
    except ValueError:
        return None


def _target(scheme: Scheme, host: str, port: int | None) -> UnreachableHost | None:
    """None for what is no host, and for what is no host's fault."""
    host = host.strip("[]").rstrip(".").lower()
    if port is not None and not 0 < port < 1 << 16:
        return None
    if not _is_address(host) and _NAME.fullmatch(host) is None:
        return None
    return None if host in _HELP_PAGES else UnreachableHost(scheme=scheme, host=host, port=port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and (ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified)


def _beyond_loopback(found: Iterable[UnreachableHost | None]) -> Iterator[UnreachableHost]:
    """A program that talks to itself, over loopback, needs no network; a proxy there is the operator's mistake."""
    return (target for target in found if target is not None and not _is_loopback(target.host))


def _distinct(found: Iterable[UnreachableHost | None]) -> tuple[UnreachableHost, ...]:
    return tuple(dict.fromkeys(target for target in found if target is not None))[:MOST_HOSTS]
