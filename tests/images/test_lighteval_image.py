"""images/lighteval as the worker's container meets it. It takes minutes to build where it is not there yet."""

import re

import pytest

from agentics.config import Config
from agentics.runner.machine import build_folders, open_images, open_scratch
from agentics.sandbox.docker.engine import connect_api
from agentics.sandbox.image_building import build_missing
from agentics.sandbox.images import definitions, list_images
from agentics.sandbox.steps import Steps

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1800)]

LIGHTEVAL = definitions()["lighteval"]


@pytest.fixture(scope="module", autouse=True)
def built():
    with open_images(Config()) as store, open_scratch(Config()) as scratch:
        build_missing(store, ("lighteval",), build_folders(scratch), Steps(log=print))
        yield {one.definition.name: one for one in list_images(store)}["lighteval"]


@pytest.fixture(scope="module")
def inside():
    """Run a shell script with all that a worker's container is denied; its status and output."""
    with connect_api() as api:

        def run(script):
            config = api.client.create_host_config(
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                network_mode="none",
                tmpfs={"/tmp": "exec,mode=1777,size=256m"},
            )
            container = api.client.create_container(
                LIGHTEVAL.alias, ["sh", "-c", script], user="10001:10001", working_dir="/tmp", host_config=config
            )["Id"]
            try:
                api.client.start(container)
                status = api.client.wait(container)["StatusCode"]
                return status, api.client.logs(container).decode()
            finally:
                api.client.remove_container(container, force=True)

        yield run


def test_it_is_there_and_current_once_it_was_built(built):
    assert built.current
    assert built.stored.size_bytes < 2_300_000_000


def test_lighteval_is_imported_offline_on_a_read_only_root_by_nobody_in_particular(inside):
    assert inside("python3 -W ignore -c 'import lighteval.pipeline, litellm, s3fs, rouge_score; print(1)'") == (
        0,
        "1\n",
    )


def test_nothing_is_compiled_anew_at_a_start(inside):
    anew = "^# (code object from .*[.]py.$|could not create|wrote)"
    status, said = inside(f'python3 -v -c "import lighteval.pipeline" 2>&1 | grep -E "{anew}"')
    assert (status, said) == (1, "")


def test_torch_is_the_one_for_cpus(inside):
    script = (
        "import torch; print(torch.__version__, torch.cuda.is_available(), (torch.ones(2, 2) @ torch.ones(2, 2)).sum())"
    )
    assert inside(f"python3 -c '{script}'") == (0, "2.13.0+cpu False tensor(8.)\n")


def test_it_has_the_versions_of_the_lock_and_no_other_package(inside):
    found = "importlib.metadata.distributions(path=['/opt/lighteval'])"
    said = inside(f'python3 -c "import importlib.metadata; [print(d.name, d.version) for d in {found}]"')[1]
    lock = "".join((LIGHTEVAL.directory / file).read_text() for file in ("requirements.txt", "sources.txt"))
    pins = re.findall(r"^[^ #]+==[^ ]+", lock, re.MULTILINE) + list(LIGHTEVAL.python.elsewhere.packages)
    assert sorted(map(named, map(str.split, said.splitlines()))) == sorted(named(pin.split("==")) for pin in pins)


def named(package):
    name, version = package
    return re.sub(r"[-_.]+", "-", name).lower(), version


def test_nothing_of_the_build_is_left(inside):
    assert inside("ls -A /tmp /var/tmp; ls -d /.litellm_cache /opt/lighteval/bin 2>/dev/null; true")[1].split() == [
        "/tmp:",
        "/var/tmp:",
    ]
