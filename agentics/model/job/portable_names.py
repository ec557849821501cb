"""Names of files from names that people gave to tasks and models: those of LightEval, where they are safe."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

_SAFE = "@+=,|:"
_LONGEST = 150
_KEPT = 80
# Windows takes these for devices, whatever comes after the first dot.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))})


def portable_name(text: str) -> str:
    """One file name. `|` and `:` stay, because LightEval's readers look for them; `/` and whatever else is not plain is
    percent-encoded, so that two texts never share a name. A long one is cut, and ends with a digest of the whole."""
    name = quote(text, safe=_SAFE, errors="surrogatepass").replace("~", "%7E")
    if not name or name[0] in ".-" or name.partition(".")[0].casefold() in _DEVICES:
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    if name[-1] == ".":
        name = f"{name[:-1]}%2E"
    if len(name) > _LONGEST:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        name = f"{name[:_KEPT]}%{digest}"
    return name


def portable_path(text: str) -> str:
    """A relative path with `/` between portable names; it never leads out of the folder that it is below."""
    return "/".join(portable_name(part) for part in text.split("/") if part) or "%"
