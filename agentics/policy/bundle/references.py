"""References of images, by the grammars of the bundle contract: taken apart, or told which part is wrong."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*(?::[0-9]+)?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NOT_LOCAL_TAG = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_TAG = 128
# Symbols that Unicode counts as alphabetic: circled and squared letters.
_LETTER_SYMBOLS = re.compile("[\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189]")


@dataclass(frozen=True, kw_only=True)
class ImageReference:
    """`repository` has the registry before it, if there is one."""

    repository: str
    tag: str


def local_reference(text: str, repositories: tuple[str, ...]) -> ImageReference | str:
    """The parts of `<repository>:<tag>` with one of these repositories, or what is wrong."""
    repository, colon, tag = text.rpartition(":")
    if not colon:
        return "it has no tag"
    if repository not in repositories:
        return f"the repository {repository!r:.100} is not one of {', '.join(repositories)}"
    strange = _NOT_LOCAL_TAG.search(tag)
    if strange is not None:
        return f"the tag has the character {strange[0]!r}"
    return ImageReference(repository=repository, tag=tag) if tag else "the tag is empty"


def registry_reference(text: str) -> ImageReference | str:
    """The parts of `<registry>/<repository>:<tag>`, with `@sha256:<digest>` or without, or what is wrong."""
    name, at, digest = text.partition("@")
    if at and _DIGEST.fullmatch(digest) is None:
        return "the digest is not sha256: and 64 lower-case hexadecimal digits"
    host, slash, rest = name.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        return "it names no registry, such as ghcr.io, before the first '/'"
    if _HOST.fullmatch(host) is None:
        return f"the registry {host!r:.100} is no host name"
    path, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        return "it has no tag"
    wrong = next((part for part in path.split("/") if _COMPONENT.fullmatch(part) is None), None)
    if wrong is not None:
        return f"the part {wrong!r:.100} of the repository is not a-z, 0-9 with single '.', '_' or '-' between"
    return _tag_fault(tag) or ImageReference(repository=f"{host}/{path}", tag=tag)


def _tag_fault(tag: str) -> str | None:
    strange = next((c for c in tag if c not in ".-" and not _is_word(c)), None)
    if strange is not None:
        return f"the tag has the character {strange!r}"
    if not tag or len(tag) > _MAX_TAG:
        return f"the tag has {len(tag)} characters; 1 to {_MAX_TAG} are allowed"
    return f"the tag starts with {tag[0]!r}" if tag[0] in ".-" else None


def _is_word(character: str) -> bool:
    """Whether Unicode calls it a word character, as the grammar's `\\w`. Python's own `\\w` is another set."""
    kind = unicodedata.category(character)
    return (
        kind[0] in {"L", "M"}
        or kind in {"Nd", "Nl", "Pc"}
        or character in "\u200c\u200d"
        or _LETTER_SYMBOLS.match(character) is not None
    )
