"""Rules about what the worker can reach: folders that it may read, servers at addresses that mean the same to it, and
the place that results go to."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from agentics.archive.hostile import Manner, Node, walk
from agentics.lighteval.ondisk import is_folder
from agentics.lighteval.rules.review import Review, data_of
from agentics.model.document.json_text import Path as Pointer
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.job.jobspec import JobSpec

_SCHEMES = ("http", "https")
_READ, _ENTER = 4, 5


def rules(review: Review) -> tuple[Rule[JobSpec], ...]:
    return (
        Rule(needs=("backend",), check=partial(_model, review)),
        Rule(needs=("custom_plugins",), check=partial(_plugins, review)),
        Rule(needs=("tasks", "custom_plugins"), check=partial(_data, review)),
        Rule(needs=("backend",), check=partial(_server, review)),
        Rule(needs=("scoring_config",), check=partial(_judges, review)),
        Rule(needs=("artifacts",), check=partial(_output, review)),
        Rule(needs=("artifacts",), check=_events),
    )


def _model(review: Review, spec: JobSpec) -> Iterator[Problem]:
    if spec.backend.model_path is None:
        return
    root, path = review.around.folder / spec.backend.model_path, ("backend", "model_path")
    yield from _unreadable(review, root, path)
    outside = _link_outside(root.resolve()) if review.around.in_container and is_folder(root) else None
    if outside is not None:
        message = f"{outside} is a link to {outside.resolve()}, which a container does not see"
        hint = "download the model as files: `hf download MODEL --local-dir DIR`"
        yield Problem(code="model_links_outside", message=message, path=path, hint=hint)


def _plugins(review: Review, spec: JobSpec) -> Iterator[Problem]:
    for located in review.plugins(spec).found:
        key = "name" if spec.custom_plugins[located.index].path is None else "path"
        yield from _unreadable(review, located.root, ("custom_plugins", located.index, key))


def _data(review: Review, spec: JobSpec) -> Iterator[Problem]:
    for index, entry, tasks in review.entries(spec):
        path: Pointer = ("tasks", index, "params", "hf_repo") if "hf_repo" in entry.params else ("tasks", index, "id")
        for root in dict.fromkeys(folder for task in tasks if (folder := data_of(review, entry, task)) is not None):
            yield from _unreadable(review, root, path)


def _unreadable(review: Review, root: Path, path: Pointer) -> Iterator[Problem]:
    """The first file or folder that the worker's user may not read, with the command that helps."""
    reader = review.around.reader
    closed = _first_closed(root, reader) if is_folder(root) else None
    if closed is not None:
        whose = "agentics" if reader is None else f"the worker's user ({reader})"
        message = f"{whose} may not read {closed}"
        who = "u" if reader is None else "a"
        hint = f"chmod -R {who}+rX {shlex.quote(str(root.resolve()))}"
        yield Problem(code="folder_unreadable", message=message, path=path, hint=hint)


def _first_closed(root: Path, reader: int | None) -> Path | None:
    root = root.resolve()
    try:
        if not _open_to(root, root.stat(), reader):
            return root
        for node in walk(root):
            path = root / node.path
            found = _behind(path, node)
            if found is not None and not _open_to(path, found, reader):
                return path
    except OSError as error:
        return Path(str(error.filename or root))
    return None


def _behind(path: Path, node: Node) -> os.stat_result | None:
    """The file or directory itself; of a link the file that it leads to, where there is one."""
    if not stat.S_ISLNK(node.found.st_mode):
        return node.found
    try:
        return path.stat()
    except OSError:
        return None


def _open_to(path: Path, found: os.stat_result, reader: int | None) -> bool:
    wanted = _ENTER if stat.S_ISDIR(found.st_mode) else _READ
    if reader is None:
        return os.access(path, wanted)
    shift = 6 if found.st_uid == reader else 3 if found.st_gid == reader else 0
    return (found.st_mode >> shift) & wanted == wanted


def _link_outside(root: Path) -> Path | None:
    below = (root / node.path for node in walk(root, Manner(lenient=True)))
    return next((path for path in below if not path.resolve().is_relative_to(root)), None)


def _server(review: Review, spec: JobSpec) -> Iterator[Problem]:
    return _address(review, spec.backend.base_url, ("backend", "base_url"))


def _judges(review: Review, spec: JobSpec) -> Iterator[Problem]:
    for index, judge in enumerate(spec.scoring_config.judges if spec.scoring_config else ()):
        yield from _address(review, judge.base_url, ("scoring_config", "judges", index, "base_url"))


def _address(review: Review, url: str | None, path: Pointer) -> Iterator[Problem]:
    if url is None:
        return
    host = _host(url)
    if host is None:
        message = f"{url!r:.100} is no address of a server"
        hint = "write it with its scheme: http://HOST:PORT/v1"
        yield Problem(code="bad_url", message=message, path=path, hint=hint)
    elif review.around.in_container and _is_this_machine(host):
        message = f"inside the worker's container {url} is the container itself"
        hint = (
            "let the server listen on the container network and name that address, such as "
            "http://172.17.0.1:8000/v1; or use a worker on this machine: [lighteval] worker in agentics.toml"
        )
        yield Problem(code="loopback_in_container", message=message, path=path, hint=hint)


def _host(url: str) -> str | None:
    """None where the URL has no scheme of a server, no host, or a port that is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.scheme in _SCHEMES and url == url.strip() else None


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".localdomain")):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _events(spec: JobSpec) -> Iterator[Problem]:
    if spec.artifacts.tensorboard and find_spec("tensorboardX") is None:
        message = "an event file for TensorBoard is written with tensorboardX, which is not installed"
        hint = 'pip install "agentics[tensorboard]", or leave it out'
        yield Problem(code="tensorboard_missing", message=message, path=("artifacts", "tensorboard"), hint=hint)


def _output(review: Review, spec: JobSpec) -> Iterator[Problem]:
    fault = review.around.output(spec.artifacts.output_dir)
    if fault is not None:
        path = ("artifacts", "output_dir")
        yield Problem(code=fault.code, message=fault.message, path=path, hint=fault.hint)
