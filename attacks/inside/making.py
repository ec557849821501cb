"""What generators of hostile files share: a fine bundle and solution to be made wrong, and ZIPs that say what is not so.

A generator has `make(root, run)`: it writes below `root`, an empty folder, and returns the words of one `agentics`
command, or a list of several. `run` is a run directory of this machine; only cases of `rundirs` and `readers` need it.
"""

import io
import json
import shutil
import struct
import warnings
import zipfile
from pathlib import Path

from agentics.attacks.groups import lay_bundle

MANIFEST = {"protocol": "zip_project", "protocol_version": 1, "note": "", "commands": {"run": "run.sh"}}
CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def bundle(root):
    """A bundle that is fine."""
    return lay_bundle("separated", root)[0]


def changed(root, change):
    """Check a bundle whose spec.json is what `change` makes of its text."""
    made = bundle(root)
    spec = made / "spec.json"
    text = change(spec.read_text())
    spec.write_bytes(text if isinstance(text, bytes) else text.encode())
    return ["challenge", "check", str(made), "--json"]


def runs(root, change):
    """Check a bundle whose run manifest is what `change` makes of its first run."""
    made = bundle(root)
    path = made / "public" / "runs.json"
    document = json.loads(path.read_text())
    change(document["runs"][0])
    path.write_text(json.dumps(document))
    return ["challenge", "check", str(made), "--json"]


def solution(root, files):
    """Plan a solution directory with these files beside its own."""
    folder = root / "solution"
    for name, content in {"agentics.solution.json": json.dumps(MANIFEST), "run.sh": "true\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return planned(root, folder)


def planned(root, path):
    return ["plan", str(bundle(root)), "--solution", str(path), "--json"]


def archive(root, data):
    """Plan a solution that is this archive."""
    path = root / "solution.zip"
    path.write_bytes(data)
    return planned(root, path)


def zipped(entries, method=zipfile.ZIP_DEFLATED):
    """A ZIP of a fine solution and of these (name or ZipInfo, content)."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as made:
        warnings.simplefilter("ignore")  # of two entries of one name
        for name, content in [("agentics.solution.json", json.dumps(MANIFEST)), ("run.sh", "true\n"), *entries]:
            made.writestr(name, content)
    return buffer.getvalue()


def named(name, mode=None):
    """An entry whose name the writer does not clean; `mode` as Unix has it, its kind included."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.compress_type = zipfile.ZIP_DEFLATED
    if mode is not None:
        info.create_system, info.external_attr = 3, mode << 16
    return info


def patched(data, signature, offset, fmt, value, which=-1):
    """The data with a field of the `which`-th structure of that signature overwritten."""
    places, at = [], data.find(signature)
    while at >= 0:
        places.append(at)
        at = data.find(signature, at + 1)
    made = bytearray(data)
    struct.pack_into(fmt, made, places[which] + offset, value)
    return bytes(made)


def copied(root, run):
    """A run directory to alter."""
    return Path(shutil.copytree(run, root / "run", symlinks=True))
