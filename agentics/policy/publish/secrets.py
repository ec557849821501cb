"""Which names stand for secrets. A name that only points to one (`api_key_env`, `token_file`) or counts something
(`max_tokens`) is no secret."""

from __future__ import annotations

import itertools
import re

_STRONG = frozenset(
    {
        "password", "passwd", "pwd", "passphrase", "secret", "secrets", "apikey", "apikeys",
        "credential", "credentials", "authorization", "auth", "cookie", "cookies", "bearer", "signature", "sig",
        "accesskey", "secretkey", "privatekey", "authtoken", "accesstoken", "refreshtoken", "sessionid", "jwt",
        "pat", "userpass", "mypwd", "pgpassword",
    }
)  # fmt: skip
_BEFORE_KEY = frozenset(
    {"api", "access", "secret", "private", "account", "encryption", "signing", "session", "ssh", "master", "license"}
)
_POINTERS = frozenset({"env", "file", "path", "ref", "refs", "dir", "type", "count", "limit", "id", "name", "names"})
_DIRECTORIES = frozenset({"PWD", "OLDPWD"})
"""What a shell calls its working directory."""

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", re.ASCII)


def is_secret_name(name: str) -> bool:
    """Whether what this name holds must not be written down, whatever it is."""
    words = _words(name)
    if not words or words[-1] in _POINTERS or name in _DIRECTORIES:
        return False
    if _STRONG.intersection(words) or "token" in words:
        return "tokenizer" not in words
    pairs = itertools.pairwise(words)
    return any((a in _BEFORE_KEY and b in {"key", "keys"}) or (a, b) == ("connection", "string") for a, b in pairs)


def is_secret(name: str, value: object) -> bool:
    """As `is_secret_name`; also `…_tokens` and `…_pass`, which else count something, when they hold no number."""
    if is_secret_name(name):
        return True
    words = _words(name)
    counts_or_secret = words[-1:] == ["tokens"] or (len(words) > 1 and words[-1] == "pass")
    return counts_or_secret and isinstance(value, str) and not value.replace(".", "").isdecimal()


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]
