"""The script that tries hosts from inside a container, against servers of this process; and the same with curl."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agentics.sandbox.guest import reach
from agentics.stages.network import PROBE
from tests.e2e.web import served

PROXIES = {f"{kind}_proxy" for kind in ("http", "https", "all", "no")}
GUEST = Path(reach.__file__).parent


@pytest.fixture
def web(tmp_path):
    with served("127.0.0.1", tmp_path) as found:
        yield found


def clean(**variables):
    """This process's environment without proxies and certificates, with these."""
    kept = {n: v for n, v in os.environ.items() if n.lower() not in PROXIES and not n.startswith(("SSL_", "CURL_"))}
    return kept | {name: value for name, value in variables.items() if value is not None}


def with_python(*targets, **variables):
    argv = [sys.executable, str(GUEST / "reach.py"), *targets]
    return subprocess.run(argv, env=clean(**variables), capture_output=True, text=True, timeout=100, check=True)


@pytest.fixture
def with_curl(tmp_path):
    """The whole probe in an image that has curl and no python3."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "curl", "cat"):
        (programs / name).symlink_to(shutil.which(name))

    def run(*targets, **variables):
        argv = ["sh", "-c", PROBE, "agentics-reach", *targets]
        env = {**clean(**variables), "PATH": str(programs)}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=100, check=True)

    return run


@pytest.fixture(params=["python", "curl"])
def tried(request):
    """Try targets, and get a line for each: with either program."""
    run = with_python if request.param == "python" else request.getfixturevalue("with_curl")
    return lambda *targets, **variables: run(*targets, **variables).stdout.splitlines()


def test_a_server_whose_certificate_is_trusted_is_reached(tried, web, tmp_path):
    assert tried(web.url, SSL_CERT_FILE=str(tmp_path / "server.pem")) == [f"reached {web.url}"]


def test_a_server_whose_certificate_is_not_trusted_is_not(tried, web):
    (line,) = tried(web.url)
    assert line.startswith(f"unreached {web.url} ")
    assert "certificate" in line


def test_a_port_that_nobody_listens_at_is_not_reached(tried, web):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        lines = tried(f"tcp://127.0.0.1:{port}", f"http://127.0.0.1:{port}", f"tcp://127.0.0.1:{web.port}")
    assert [line.partition(" ")[0] for line in lines] == ["unreached", "unreached", "reached"]
    assert "onnect" in lines[0]


def test_a_tunnel_through_the_proxy_is_what_counts_where_there_is_one(tried, web, tmp_path):
    certificate = str(tmp_path / "server.pem")
    assert tried(web.url, SSL_CERT_FILE=certificate, HTTPS_PROXY=web.proxy) == [f"reached {web.url}"]
    assert web.tunnels == [web.url.removeprefix("https://")]
    wrong = web.proxy.replace(web.password, "another")
    (line,) = tried(web.url, SSL_CERT_FILE=certificate, HTTPS_PROXY=wrong)
    assert (line.startswith(f"unreached {web.url} "), "407" in line) == (True, True)
    assert "another" not in line


def test_a_host_that_the_proxy_is_not_for_is_tried_without_it(tried, web, tmp_path):
    variables = {"SSL_CERT_FILE": str(tmp_path / "server.pem"), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    assert tried(web.url, HTTPS_PROXY="http://127.0.0.1:1", **variables) == [f"reached {web.url}"]
    assert web.tunnels == []


def test_a_proxy_itself_is_never_tried_through_a_proxy(tried, web):
    target = f"tcp://{web.proxy.partition('@')[2]}"
    assert tried(target, http_proxy="http://127.0.0.1:1", HTTPS_PROXY="http://127.0.0.1:1") == [f"reached {target}"]


def test_each_target_has_its_line_in_order_and_one_that_fails_stops_no_other(tried, web, tmp_path):
    targets = ["tcp://127.0.0.1:1", "dns://localhost", web.url]
    lines = tried(*targets, SSL_CERT_FILE=str(tmp_path / "server.pem"))
    assert [line.split(" ")[:2] for line in lines] == [
        ["unreached", targets[0]],
        ["reached", targets[1]],
        ["reached", targets[2]],
    ]


def test_a_name_that_cannot_be_resolved_is_said_to_be_so(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(reach, "PAUSE_S", 0)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    why = "its name cannot be resolved (Temporary failure in name resolution)"
    assert reach.look("dns://data.example") == f"unreached dns://data.example {why}"
    assert reach.look("https://data.example:443") == f"unreached https://data.example:443 {why}"


def test_a_network_that_fails_once_is_asked_again(monkeypatch):
    answers = [OSError(101, "Network is unreachable"), None]

    def once(*_, **__):
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(reach, "try_target", once)
    monkeypatch.setattr(reach, "PAUSE_S", 0)
    assert reach.look("tcp://data.example:1") == "reached tcp://data.example:1"


def test_an_image_with_neither_program_says_nothing(tmp_path):
    (tmp_path / "sh").symlink_to(shutil.which("sh"))
    argv = ["sh", "-c", PROBE, "agentics-reach", "dns://localhost"]
    done = subprocess.run(argv, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("", "")
