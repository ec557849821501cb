"""Images, as a Docker-compatible engine keeps them. Beside sandbox.docker it alone may talk to the engine; it is
given a connection and makes none.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound

from agentics.errors import EngineError
from agentics.sandbox import labels
from agentics.sandbox.images import StoredImage
from agentics.sandbox.rootfs import BuilderJob
from agentics.sandbox.steps import StepLog, Steps, ignore

_TAIL_BYTES = 4000
_CONFLICT = 409
_BUILD_S = 3600


class DockerImages:
    """An `images.ImageStore`."""

    def __init__(self, client: APIClient) -> None:
        self._client = client

    def architecture(self) -> str:
        with _naming("ask for its version"):
            return str(self._client.version()["Arch"])

    def image(self, reference: str) -> StoredImage | None:
        with _naming(f"look for {reference}"):
            try:
                found = self._client.inspect_image(reference)
            except ImageNotFound:
                return None
        return StoredImage(
            id=found["Id"], size_bytes=found["Size"], labels=(found.get("Config") or {}).get("Labels") or {}
        )

    def import_rootfs(self, tar: Path, reference: str, changes: Sequence[str], steps: Steps) -> None:
        repository, _, tag = reference.rpartition(":")

        def make() -> None:
            said = self._client.import_image(src=str(tar), repository=repository, tag=tag, changes=list(changes))
            _refuse_errors(map(json.loads, said.splitlines()), reference, ignore)

        with _naming(f"import {reference}"):
            steps.wait_for(make)

    def build(
        self, context: Path, reference: str, buildargs: Mapping[str, str], labels: Mapping[str, str], steps: Steps
    ) -> None:
        def make() -> None:
            said = self._client.build(
                path=str(context),
                tag=reference,
                buildargs=dict(buildargs),
                labels=dict(labels),
                # All that comes over a network is in the root directory that these images stand on.
                network_mode="none",
                rm=True,
                forcerm=True,
                decode=True,
            )
            _refuse_errors(said, reference, steps.output)

        # The engine gives a build up when the connection that asked for it is closed, which happens at our exit.
        with _naming(f"build {reference}"):
            steps.wait_for(make)

    def tag(self, reference: str, alias: str) -> None:
        repository, _, tag = alias.rpartition(":")
        with _naming(f"tag {reference} as {alias}"):
            self._client.tag(reference, repository, tag)

    def remove_nameless(self, image_id: str) -> None:
        with _naming(f"remove image {image_id}"):
            try:
                if not self._client.inspect_image(image_id)["RepoTags"]:
                    self._client.remove_image(image_id)
            except ImageNotFound:
                return
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise

    def run_rootfs_builder(self, job: BuilderJob, output: Path, steps: Steps) -> None:
        with _naming(f"make a root directory in a container of {job.image}"):
            self._pull(job.image, steps)
            container = self._client.create_container(
                job.image,
                list(job.argv),
                environment=dict(job.env),
                labels={labels.OWNER: labels.this_process().label()},
            )["Id"]
            try:
                self._client.put_archive(container, "/", _archive(job.inputs, "inputs"))
                self._client.start(container)
                steps.wait_for(lambda: self._refuse_failure(container, job))
                steps.wait_for(lambda: self._fetch(container, job.output, output))
            finally:
                self._client.remove_container(container, force=True, v=True)

    def _pull(self, reference: str, steps: Steps) -> None:
        if self.image(reference) is not None:
            return
        repository, _, tag = reference.rpartition(":")
        with steps.step(f"pulling {reference}"):
            steps.wait_for(lambda: self._client.pull(repository, tag=tag))

    def _refuse_failure(self, container: str, job: BuilderJob) -> None:
        status = self._client.wait(container, timeout=_BUILD_S)["StatusCode"]
        if status:
            said = self._client.logs(container, tail=20).decode(errors="replace")[-_TAIL_BYTES:]
            msg = f"a container of {job.image} ended with status {status} while making an image:\n{said}"
            raise EngineError(msg, code="image_build_failed")

    def _fetch(self, container: str, source: str, target: Path) -> None:
        chunks, _ = self._client.get_archive(container, source)
        with tempfile.TemporaryFile() as packed:
            packed.writelines(chunks)
            packed.seek(0)
            with tarfile.open(fileobj=packed) as archive:
                content = archive.extractfile(archive.getmembers()[0])
                if content is None:
                    msg = f"{source} in the container is not a file"
                    raise EngineError(msg, code="image_build_failed")
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)


def _archive(directory: Path, name: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(directory.resolve(), arcname=name)
    return packed.getvalue()


def _refuse_errors(said: Iterable[Mapping[str, Any]], reference: str, log: StepLog) -> None:
    """The engine answers 200 and then tells of a failure in the body."""
    for message in said:
        if "error" in message:
            msg = f"the engine could not make {reference}: {message['error']}"
            raise EngineError(msg, code="image_build_failed")
        if line := str(message.get("stream", "")).strip():
            log(line)


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        msg = f"the engine could not {what}: {error}"
        raise EngineError(msg) from error
