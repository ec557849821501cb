"""Whether hosts can be reached from this container: `reach.py TARGET...`, each `scheme://host[:port]`.

Uses what a program here would use: the proxies and the certificates of its environment. Prints one line for each
target, in order: `reached TARGET`, or `unreached TARGET WHY`. Schemes: `https` (a TLS connection that is trusted),
`http` (a request that no proxy refuses), `tcp` (a connection, never through a proxy), `dns` (the name alone).
"""

from __future__ import annotations

import base64
import socket
import ssl
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

WAIT_S = 8.0
TRIES = 2
PAUSE_S = 1.0
REFUSED_BY_PROXY = (407, 502, 503, 504)
NOT_A_TUNNEL = 300


class UnreachedError(Exception):
    """Why a host could not be reached."""


def try_target(target: str) -> None:
    """Raises UnreachedError, OSError."""
    parts = urlsplit(target)
    host = parts.hostname or ""
    if parts.scheme == "dns":
        socket.getaddrinfo(host, None)
        return
    port = parts.port or 443
    proxy = None if parts.scheme == "tcp" else proxy_of(parts.scheme, f"{host}:{port}")
    if proxy is not None:
        through_proxy(parts.scheme, host, port, proxy)
        return
    with socket.create_connection((host, port), WAIT_S) as connection:
        if parts.scheme == "https":
            handshake(connection, host)


def proxy_of(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for this."""
    proxies = getproxies_environment()
    if proxy_bypass_environment(host, proxies):
        return None
    return proxies.get(scheme) or proxies.get("all")


def through_proxy(scheme: str, host: str, port: int, proxy: str) -> None:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    at = (parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 1080))
    name = f"proxy {at[0]}:{at[1]}"
    try:
        connection = socket.create_connection(at, WAIT_S)
    except OSError as error:
        msg = f"{name}: {why(error)}"
        raise UnreachedError(msg) from error
    with connection:
        if parts.scheme != "http":
            return  # what is beyond such a proxy is not looked at
        there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        tunnel = scheme == "https"
        asking = HTTPConnection(*at, timeout=WAIT_S)
        asking.sock = connection
        method, path = ("CONNECT", there) if tunnel else ("HEAD", f"http://{there}/")
        asking.request(method, path, headers={"Host": there, **authorization(parts.username, parts.password)})
        answer = asking.getresponse()
        if answer.status in REFUSED_BY_PROXY or (tunnel and answer.status >= NOT_A_TUNNEL):
            msg = f"{name} answered {answer.status} {answer.reason}"
            raise UnreachedError(msg)
        if tunnel:
            handshake(connection, host)


def authorization(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def handshake(connection: socket.socket, host: str) -> None:
    """Raises ssl.SSLError when the certificate is not trusted."""
    with ssl.create_default_context().wrap_socket(connection, server_hostname=host):
        pass


def why(error: BaseException) -> str:
    """In few words, on one line."""
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved ({error.strerror})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, socket.timeout):
        return "the connection timed out"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(text.split())


def look(target: str) -> str:
    """The line for this target. A network that fails once is asked again."""
    said = ""
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE_S)
        try:
            try_target(target)
        except (UnreachedError, OSError, HTTPException, ValueError) as error:
            said = why(error)
        else:
            return f"reached {target}"
    return f"unreached {target} {said}"


def main() -> None:
    targets = sys.argv[1:]
    lines = dict.fromkeys(targets, "")

    def one(target: str) -> None:
        lines[target] = look(target)

    threads = [threading.Thread(target=one, args=(target,)) for target in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("\n".join(lines[target] for target in targets))


if __name__ == "__main__":
    main()
