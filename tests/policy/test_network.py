"""What the operator may give to stages with network, what of it is secret, and which hosts a failed program names."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from agentics.model.plan.trial_plan import Plan
from agentics.policy.network import (
    both_spellings,
    forbidden,
    network_use,
    refusal,
    secrets_of,
    stages_with_network,
)
from agentics.policy.publish.redact import Redactor
from agentics.policy.verdict.unreachable import given, loopback_proxies, suspects

# What the programs really print; `{host}` and `{port}` stand for what they were asked for.
MESSAGES = {
    "curl cannot resolve": ("curl: (6) Could not resolve host: {host}", "dns://{host}"),
    "curl cannot connect": (
        "curl: (7) Failed to connect to {host} port {port} after 0 ms: Couldn't connect to server",
        "tcp://{host}:{port}",
    ),
    "wget cannot resolve": ("wget: unable to resolve host address \u2018{host}\u2019", "dns://{host}"),
    "wget cannot connect": ("Connecting to {host}:{port}... failed: Connection refused.", "tcp://{host}:{port}"),
    "wget does not trust": ("ERROR: The certificate of \u2018{host}\u2019 is not trusted.", "https://{host}:443"),
    "git": (
        "fatal: unable to access 'https://{host}:{port}/x.git/': server certificate verification failed. CAfile: none",
        "https://{host}:{port}",
    ),
    "git over ssh": ("ssh: Could not resolve hostname {host}: Name or service not known", "dns://{host}"),
    "pip 23": (
        "Could not fetch URL https://{host}:{port}/simple/six/: There was a problem confirming the ssl certificate",
        "https://{host}:{port}",
    ),
    "pip 26": (
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NameResolutionError(\"HTTPSConnection(host="
            "'{host}', port={port}): Failed to resolve '{host}' ([Errno -3] Temporary failure in name resolution)\")'"
        ),
        "https://{host}:{port}",
    ),
    "uv": (
        "error: Failed to fetch: `https://{host}:{port}/simple/six/`\n  cause: client error (Connect)",
        "https://{host}:{port}",
    ),
    "uv python": ("cause: error sending request for url (https://{host}:{port}/a.tar.gz)", "https://{host}:{port}"),
    "npm": (
        "npm error request to https://{host}:{port}/npm/x failed, reason: getaddrinfo EAI_AGAIN {host}",
        "dns://{host}",
    ),
    "cargo": (
        (
            "  failed to download from `https://{host}:{port}/index/config.json`\n\nCaused by:\n"
            "  [60] SSL peer certificate or SSH remote key was not OK"
        ),
        "https://{host}:{port}",
    ),
    "apt": ("Err:1 http://{host} bookworm InRelease\n  Could not resolve '{host}'", "dns://{host}"),
    "aiohttp": ("Cannot connect to host {host}:{port} ssl:default [Connection refused]", "tcp://{host}:{port}"),
}


@pytest.mark.parametrize("program", MESSAGES)
def test_the_host_is_read_from_what_a_program_prints_when_it_cannot_reach_it(program):
    text, expected = (one.format(host="mirror.example", port=8443) for one in MESSAGES[program])
    assert suspects(f"working ...\n{text}\n".encode())[0].argument == expected


def test_the_last_failure_comes_first_and_no_host_comes_twice():
    log = b"curl: (6) Could not resolve host: a.example\n" * 2 + b"curl: (6) Could not resolve host: b.example\n"
    assert [target.host for target in suspects(log)] == ["b.example", "a.example"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ValueError: no such column; see https://docs.example/columns",
        "error: 404 Not Found for https://mirror.example/simple/none/",
        "curl: (7) Failed to connect to localhost port 5432 after 0 ms: Couldn't connect to server",
        "curl: (7) Failed to connect to 127.0.0.1 port 5432: Connection refused",
        "connect ECONNREFUSED [::1]:80",
    ],
)
def test_a_log_that_shows_no_failure_of_a_network_names_nobody(text):
    assert suspects(text.encode()) == ()


def test_where_the_message_names_no_host_the_log_and_then_the_script_is_looked_at():
    sign = b"urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>"
    script = b'import urllib.request\nurllib.request.urlopen("https://data.example/set.csv")\n'
    assert [t.argument for t in suspects(sign, script)] == ["https://data.example:443"]
    assert [t.argument for t in suspects(b"Looking in indexes: http://mirror.example/simple\n" + sign, script)] == [
        "http://mirror.example:80",
        "https://data.example:443",
    ]
    assert suspects(b"KeyError: 'x'", script) == ()


def test_a_page_that_a_program_recommends_is_no_host_that_it_needed():
    log = b"curl: (60) SSL certificate problem: self-signed certificate\nMore details here: https://curl.se/docs/x.html"
    assert suspects(log, b"curl https://data.example/") == suspects(b"SSL certificate problem", b"https://data.example")


@pytest.mark.parametrize("host", ["a b", "$(touch x)", "-o/tmp/x", "x" * 300, "..", "'"])
def test_what_is_no_host_is_never_tried(host):
    found = suspects(f"curl: (6) Could not resolve host: {host}\n".encode())
    assert [target.argument for target in found if not target.host.replace(".", "").replace("-", "").isalnum()] == []
    assert all(not target.argument.startswith("-") for target in found)


def test_a_hostile_log_is_read_in_time_that_grows_with_its_length():
    log = b"Connecting to " + b"a." * 100_000 + b"Connecting to a (" * 20_000 + b"Retrying (Retry(" * 20_000
    log += b"https://" * 20_000
    assert len(suspects(log)) <= 8


def test_the_hosts_of_the_operators_own_variables_are_known_without_a_log():
    environment = {
        "HTTPS_PROXY": "http://user:pass@proxy.example:3128",
        "UV_INDEX_URL": "https://mirror.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://u:p@a.example/x https://b.example:8443/x",
        "NO_PROXY": "localhost,.example",
        "UV_LINK_MODE": "copy",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
    }
    assert sorted(target.argument for target in given(environment)) == [
        "https://a.example:443",
        "https://b.example:8443",
        "https://mirror.example:443",
        "tcp://proxy.example:3128",
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("http://127.0.0.1:3128", True),
        ("localhost:3128", True),
        ("socks5h://[::1]:1080", True),
        ("http://proxy.example:3128", False),
        ("http://[broken", False),
    ],
)
def test_a_proxy_on_loopback_is_noticed(value, found):
    assert loopback_proxies({"https_proxy": value}) == (("https_proxy",) if found else ())


def test_a_proxy_has_both_spellings_and_what_was_said_of_either_stays():
    told = both_spellings({"HTTPS_PROXY": "a", "no_proxy": "b", "HTTP_PROXY": "c", "http_proxy": "d", "UV_X": "e"})
    both = {"HTTPS_PROXY": "a", "https_proxy": "a", "no_proxy": "b", "NO_PROXY": "b"}
    assert told == both | {"HTTP_PROXY": "c", "http_proxy": "d", "UV_X": "e"}


@pytest.mark.parametrize("name", ["AGENTICS_MODE", "HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "", "A B", "A=B", "1A"])
def test_what_the_bundle_contract_sets_and_what_is_no_name_is_refused(name):
    assert refusal(name) is not None
    assert [refusal(good) for good in ("HTTPS_PROXY", "uv_index", "_X", "PATH")] == [None] * 4


SECRETS = {
    "HTTPS_PROXY": ("http://user:p%40ss-w0rd@proxy.example:3128", "p%40ss-w0rd"),
    "ALL_PROXY": ("user:hunter2-3@proxy.example:3128", "hunter2-3"),
    "PIP_INDEX_URL": ("https://t0ken-of-mine@mirror.example/simple", "t0ken-of-mine"),
    "NPM_CONFIG_REGISTRY": ("https://npm.example/?auth_token=abcdef-123", "abcdef-123"),
    "UV_INDEX_INTERNAL_PASSWORD": ("correct horse", "correct horse"),
    "MIRROR_KEY": ("pypi-AgEIcHlwaS5vcmcC123", "pypi-AgEIcHlwaS5vcmcC123"),
    "MIRROR": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0"),
    "http_proxy": ("http://u:pw@short.example:1", "//u:pw@"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_found_wherever_in_a_value_it_stands_and_the_host_stays_readable(name):
    value, secret = SECRETS[name]
    redactor = Redactor(secrets_of({name: value}))
    shown = redactor.known_bytes(f"{name}={value}\nconnecting".encode()).decode()
    assert secret not in shown
    assert shown.endswith("connecting")
    assert ("example" in value) == ("example" in shown)


def test_a_password_in_the_header_that_programs_show_is_found_too():
    redactor = Redactor(secrets_of({"HTTPS_PROXY": "http://user:s3cret-pass@proxy.example:3128"}))
    header = base64.b64encode(b"user:s3cret-pass")
    assert header not in redactor.known_bytes(b"> Proxy-Authorization: Basic " + header)


def test_what_is_no_secret_is_left_alone():
    plain = {"UV_LINK_MODE": "copy", "PIP_DEFAULT_TIMEOUT": "180", "UV_INDEX_URL": "https://mirror.example/simple"}
    assert secrets_of(plain) == frozenset()


def test_the_digest_tells_mirrors_apart_and_passwords_not():
    def digest(url, **more):
        return network_use({"UV_INDEX_URL": url, **more}, None).digest

    assert digest("https://a.example/simple") != digest("https://b.example/simple")
    assert digest("https://u:one-password@a.example/") == digest("https://u:two-password@a.example/")
    assert digest("https://a.example/", X_TOKEN="one-secret") == digest("https://a.example/", X_TOKEN="two-secret")
    assert digest("https://a.example/", X="1") != digest("https://a.example/")


def test_a_stage_that_is_left_out_needs_no_network():
    golden = Path(__file__).with_name("golden") / "range-sums.validation.json"
    plan = Plan.model_validate_json(golden.read_bytes())
    assert (stages_with_network(plan), forbidden(plan)) == ((), None)
    build = next(stage for stage in plan.stages if stage.name == "solution_build")
    build.options["container"]["limits"]["network_access"] = "enabled"
    assert stages_with_network(plan) == ("solution_build",)
    assert forbidden(plan).code == "network_forbidden"
    without = [stage.model_copy(update={"enabled": stage is not build}) for stage in plan.stages]
    assert stages_with_network(plan.model_copy(update={"stages": tuple(without)})) == ()
