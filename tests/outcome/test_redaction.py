"""B9: a secret does not come through, by whatever way it was told; and what is no secret stays readable."""

import json

import pytest

from agentics.policy.publish.redact import HIDDEN, Redactor, named_secrets, secrets_in
from agentics.policy.publish.secrets import is_secret

SECRET = "s3cr3t-Value/42+x"


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "apiKey", "API-KEY", "OPENAI_API_KEY", "--api-key", "password", "db_password", "DB_PASS", "token",
        "HF_TOKEN", "accessToken", "access_tokens", "client_secret", "Authorization", "X-Api-Key", "Cookie",
        "aws_secret_access_key", "AWS_ACCESS_KEY", "private_key", "ssh-key", "connectionString", "passphrase",
        "credentials", "proxy-authorization",
    ],
)  # fmt: skip
def test_b9_a_name_that_means_a_secret_is_known(name):
    assert is_secret(name, SECRET)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 512), ("max_tokens", "512"), ("tokens", 3), ("tokenizer", "bpe"), ("token_count", 3),
        ("api_key_env", "MY_KEY"), ("password_file", "/run/pw"), ("monkey", "x"), ("keyboard", "x"), ("key", "x"),
        ("primary_key", "id"), ("pass", "3"), ("pass_rate", 1), ("PWD", "/home/x"), ("author", "x"),
        ("run_name", "case"), ("", "x"), ("passed", "x"), ("compass", "n"), ("secret_ref", "name"),
    ],
)  # fmt: skip
def test_b9_a_name_that_only_looks_like_one_is_not(name, value):
    assert not is_secret(name, value)


ARGV = [
    ["--api-key", SECRET],
    [f"--api-key={SECRET}"],
    ["--limit", "5", "--api-key", SECRET],
    ["--quiet", "--token", SECRET],
    ["-H", f"X-Whatever: {SECRET}"],
    ["--header", f"Authorization: Bearer {SECRET}"],
    ["-e", f"MY_PASSWORD={SECRET}"],
    ["--image", f"https://user:{SECRET}@registry.example/x"],
    ["--base-url", f"https://h.example/v1?api_key={SECRET}&x=1"],
    ["--set", f"db.password={SECRET}"],
    ["--password", f"-{SECRET}"],
]


@pytest.mark.parametrize("argv", ARGV)
def test_b9_a_secret_in_the_arguments_is_hidden_by_its_place(argv):
    shown = Redactor().argv(["agentics", "eval", *argv])
    assert SECRET not in " ".join(shown)
    assert HIDDEN in " ".join(shown)
    assert len(shown) == len(argv) + 2
    assert shown[:2] == ("agentics", "eval")


@pytest.mark.parametrize("argv", [a for a in ARGV if "?" not in a[-1] and a[-1][0] != "-"])
def test_b9_a_secret_from_the_arguments_is_hidden_in_a_traceback(argv):
    redactor = Redactor(secrets_in(argv))
    trace = f'  File "x.py", line 3, in call\n    raise E({SECRET!r})\nE: cannot use {SECRET} here'
    shown = redactor.text(trace)
    assert SECRET not in shown
    assert 'File "x.py", line 3' in shown


TEXTS = [
    f"connect to postgres://admin:{SECRET.replace('/', '')}@db/x failed",
    f"Authorization: Bearer {SECRET}",
    f"> Cookie: session={SECRET}; other={SECRET}",
    f"headers={{'X-Api-Key': '{SECRET}'}}",
    f'{{"password": "{SECRET}"}}',
    f'{{\\"password\\": \\"{SECRET}\\"}}',
    f"HF_TOKEN={SECRET}\nHOME=/root",
    f"call(token={SECRET}, n=1)",
    f"call(api_key='{SECRET} and more', n=1)",
    f"run --secret {SECRET} --n 1",
    f"run --secret='{SECRET} {SECRET}'",
    f"got 401 for Bearer {SECRET}",
    f"https://h/x?a=1&access_token={SECRET}",
    f"DB_PASSWORD=a,b({SECRET})",
]


@pytest.mark.parametrize("text", TEXTS)
def test_b9_a_secret_in_a_text_is_hidden_by_its_place(text):
    shown = Redactor().text(text)
    assert SECRET not in shown
    assert SECRET.replace("/", "") not in shown


@pytest.mark.parametrize(
    "token",
    ["sk-proj-abcdefghijklmnopqrst", "ghp_" + "a1B2" * 9, "hf_" + "abcd" * 5, "AKIA" + "ABCD" * 4,
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_1", "glpat-abcdefghij1234567890"],
)  # fmt: skip
def test_b9_a_well_known_token_is_hidden_without_any_hint(token):
    assert token not in Redactor().text(f"something went wrong with {token}, sorry")


def test_b9_a_private_key_is_hidden_whole():
    text = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\ndef\n-----END RSA PRIVATE KEY-----\nafter"
    assert Redactor().text(text) == f"{HIDDEN}\nafter"
    assert "MII" not in Redactor().text(text[:40])


def test_b9_configuration_is_hidden_at_any_depth_and_stays_configuration():
    config = {
        "model": "m",
        "max_tokens": 512,
        "endpoint": {"headers": {"Authorization": SECRET}, "url": f"https://u:{SECRET.replace('/', '')}@h/"},
        "keys": [{"api_key": SECRET}, {"secrets": {"anything": [SECRET, 1]}}],
        "api_key_env": "MY_KEY",
        "token": None,
        "password": 12345678,
    }
    shown = Redactor().mapping(config)
    assert SECRET not in json.dumps(shown)
    assert "12345678" not in json.dumps(shown)
    assert shown["model"] == "m"
    assert shown["max_tokens"] == 512
    assert shown["api_key_env"] == "MY_KEY"
    assert shown["token"] is None
    assert shown["endpoint"]["url"] == f"https://{HIDDEN}@h/"


def test_b9_values_are_found_in_every_mapping_and_in_every_spelling():
    redactor = Redactor(secrets_in([], {"MY_TOKEN": SECRET}, {"auth": {"deep": ['quo"te\n-secret']}}))
    for spelled in (
        SECRET,
        "s3cr3t-Value%2F42%2Bx",
        'quo"te\n-secret',
        repr('quo"te\n-secret'),
        json.dumps('quo"te\n-secret'),
    ):
        assert "ecret" not in redactor.known(f"<{spelled}>").replace("s3cr3t", "secret")


@pytest.mark.parametrize("value", ["123456", "deadbeef0123", "passed", "official", "complete", "root"])
def test_an_ordinary_value_is_hidden_by_its_place_only(value):
    redactor = Redactor(secrets_in(["--password", value], {"MY_TOKEN": value}))
    assert redactor.text(f"run 1.{value} is {value}") == f"run 1.{value} is {value}"
    assert redactor.text(f"MY_TOKEN={value}") == f"MY_TOKEN={HIDDEN}"


def test_b9_a_record_of_facts_loses_the_values_and_keeps_its_keys_and_numbers():
    redactor = Redactor(frozenset({"message-42", "message"}))
    record = {"message": "the message-42 is", "n": [1.5, None, True, {"message": "message"}]}
    assert redactor.known_json(record) == {"message": f"the {HIDDEN} is", "n": [1.5, None, True, {"message": HIDDEN}]}


def test_b9_the_longer_of_two_secrets_leaves_no_rest():
    assert Redactor(frozenset({"abcdef", "abcdef-ghijkl"})).text("x abcdef-ghijkl y") == f"x {HIDDEN} y"


def test_short_and_common_values_do_not_blot_out_the_text():
    values = secrets_in(["--password", "root"], {"PWD": "/home/somebody", "OLDPWD": "/usr/share"})
    assert values == frozenset()


@pytest.mark.parametrize(
    "text",
    ["challenge a@linux: 3 of 5 cases passed", "max_tokens=512, run_id=20260102", "see https://example.org/docs?page=2",
     'File "x.py", line 3, in <module>', "status: failed\nreason: verdict_fail", "-----", "key=value"],
)  # fmt: skip
def test_harmless_text_stays_as_it_is(text):
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a-", "token", "eyJ-", "a://", "-", " ", "'", 'token="', "Bearer ", "x=", "@:/", "\\"]
)
def test_a_hostile_text_is_carried_through_to_its_end(piece):
    # A pattern that tries every split of this would not come back within the suite's time limit.
    Redactor(frozenset({"never-there"})).text(piece * (100_000 // len(piece)))


def test_a_value_that_was_named_as_a_secret_is_hidden_although_it_is_an_ordinary_number():
    hide = Redactor(named_secrets(["20261130\n"]))
    assert hide.known("key 20261130, and again:20261130") == f"key {HIDDEN}, and again:{HIDDEN}"


def test_a_digest_is_not_torn_by_a_short_secret_that_is_in_it_by_chance():
    digest = f"sha256:{'0123abcd' * 8}"
    hide = Redactor(named_secrets(["0123abcd", "fedcba9876543210" * 2]))
    assert hide.known_json({"key": digest, "text": "0123abcd"}) == {"key": digest, "text": HIDDEN}
    assert hide.known("fedcba9876543210" * 2) == HIDDEN


def test_the_words_of_event_lines_are_no_secrets_whose_loss_would_make_them_unreadable():
    assert named_secrets(["answered", "response", "short"]) == frozenset()


def test_every_long_line_of_a_secret_is_one():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nabc\n-----END KEY-----"
    hide = Redactor(named_secrets([key]))
    assert hide.known("it is MIIEvQIBADANBgkqhkiG9w0B, abc") == f"it is {HIDDEN}, abc"
    assert hide.known(json.dumps({"key": key})) == json.dumps({"key": HIDDEN})
