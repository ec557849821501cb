"""The shipped images as containers of ours meet them, and image making on a real engine."""

import io
import tarfile
import uuid

import pytest

from agentics.config import Config
from agentics.errors import EngineError
from agentics.runner.machine import open_images
from agentics.sandbox.images import definitions, list_images
from agentics.sandbox.rootfs import BuilderJob
from agentics.sandbox.steps import Steps, ignore
from tests.images.conftest import SOLUTION, unanswered

pytestmark = pytest.mark.docker

BASE = definitions()["base"].reference
SILENT = Steps(log=ignore)
EVALUATOR = "10002:10002"


@pytest.fixture
def images():
    with open_images(Config()) as store:
        yield store


@pytest.fixture(scope="module")
def image():
    return BASE


def test_the_shipped_images_are_here_and_current(images):
    listed = [one for one in list_images(images) if not one.definition.optional]
    assert {one.definition.name: one.current for one in listed} == {"base": True}


def test_a_shell_with_pipefail_is_a_shell(hardened):
    assert hardened("set -euo pipefail; false | true") == (1, "")


@pytest.mark.parametrize("standard", ["gnu++17", "gnu++20"])
def test_cpp_with_every_standard_header_compiles_and_runs_in_tmp(hardened, standard):
    script = f"""
        set -euo pipefail
        cd /tmp
        printf '#include <bits/stdc++.h>\\nint main() {{ std::cout << std::gcd(12, 18) << std::endl; }}\\n' >a.cpp
        g++ -std={standard} -O2 -o a a.cpp
        ./a"""
    assert hardened(script) == (0, "6\n")


def test_python_answers_to_both_of_its_names_and_has_its_library(hardened):
    script = "python -c 'import ssl, sqlite3, lzma, bz2, ctypes; print(1)' && python3 -c 'print(2)'"
    assert hardened(script) == (0, "1\n2\n")


def test_python_finds_its_library_compiled_and_so_starts_fast(hardened):
    status, said = hardened(
        'python3 -v -c "import json" 2>&1 | grep -E "^# (code object from .*[.]py.$|could not create|wrote)"'
    )
    assert (status, said) == (1, ""), "a module was compiled anew at start-up"


def test_every_command_that_the_image_offers_says_its_version(hardened):
    assert unanswered(hardened, definitions()["base"]) == []


def test_timeout_ends_a_program_with_124(hardened):
    assert hardened("timeout 0.1 sleep 60")[0] == 124


@pytest.mark.parametrize(("user", "name"), [(SOLUTION, "solution"), (EVALUATOR, "evaluator")])
def test_both_users_have_a_name_and_a_home_that_can_be_written(hardened, user, name):
    script = (
        "whoami; echo $HOME $LANG; cd && git init -q r && cd r && git commit -q --allow-empty -m x 2>&1 | head -n 1"
    )
    said = hardened(script, user)[1]
    assert said.splitlines()[:2] == [name, "/tmp C.UTF-8"]
    assert hardened("python -c 'import getpass, pathlib; print(getpass.getuser(), pathlib.Path.home())'", user) == (
        0,
        f"{name} /tmp\n",
    )


def test_nothing_lets_a_program_become_somebody_else(hardened):
    assert hardened("find / -xdev -type f -perm /6000 2>/dev/null")[1] == ""


def test_nothing_of_the_build_and_nothing_of_the_machine_is_left(client):
    left = "/root /var/lib/apt/lists /var/cache/apt /var/log /tmp /home"
    script = f"""
        find {left} -type f -size +0
        find / -xdev -name .git -o -xdev -path '*/pip/*' -type f -o -xdev -name .netrc
        cat /etc/apt/sources.list.d/* /etc/apt/apt.conf.d/*proxy* 2>/dev/null
        grep -v -e ' http://deb.debian.org/debian' /etc/apt/sources.list
        true"""
    container = client.create_container(BASE, ["sh", "-c", script], user="0:0")["Id"]
    try:
        client.start(container)
        client.wait(container)
        assert client.logs(container).decode() == ""
    finally:
        client.remove_container(container, force=True)


@pytest.mark.parametrize("path", ["/etc/hostname", "/etc/resolv.conf"])
def test_the_image_does_not_know_which_machine_built_it(client, path):
    container = client.create_container(BASE, ["true"])["Id"]
    try:
        chunks, _ = client.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            assert [member.size for member in archive] == [0]
    finally:
        client.remove_container(container, force=True)


@pytest.fixture
def marker(client):
    """A word for a builder's script, so that its container can be found. When the test is over there must be none."""
    word = uuid.uuid4().hex
    yield word
    assert not [one["Id"] for one in client.containers(all=True) if word in one["Command"]]


def test_the_marker_finds_a_container_that_was_left(client):
    word = uuid.uuid4().hex
    container = client.create_container(BASE, ["sh", "-c", f": {word}; {'true; ' * 50}"])["Id"]
    try:
        assert [one["Id"] for one in client.containers(all=True) if word in one["Command"]] == [container]
    finally:
        client.remove_container(container)


def test_what_a_builder_container_writes_comes_back_whole_and_the_container_goes(images, marker, tmp_path):
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "word").write_text("hello ")
    script = f": {marker}; cat /inputs/word >/made && head -c 3000000 /dev/zero >>/made && echo -n $WHOM >>/made"
    job = BuilderJob(
        image=BASE, argv=("sh", "-c", script), inputs=tmp_path / "inputs", output="/made", env={"WHOM": "world"}
    )
    images.run_rootfs_builder(job, tmp_path / "made", SILENT)
    assert (tmp_path / "made").read_bytes() == b"hello " + bytes(3_000_000) + b"world"


@pytest.mark.parametrize(
    "script", ["echo out of luck >&2; exit 3", "mkdir /made; echo out of luck", "echo out of luck"]
)
def test_a_builder_container_that_fails_is_an_error_with_its_last_words_and_goes(images, marker, tmp_path, script):
    (tmp_path / "inputs").mkdir()
    job = BuilderJob(image=BASE, argv=("sh", "-c", f": {marker}; {script}"), inputs=tmp_path / "inputs", output="/made")
    with pytest.raises(EngineError) as caught:
        images.run_rootfs_builder(job, tmp_path / "made", SILENT)
    assert "made" in caught.value.message or "out of luck" in caught.value.message


@pytest.fixture
def house(tmp_path, images, client):
    """A definition that stands on the shipped base, removed with its images afterwards."""
    base = definitions()["base"].directory
    (tmp_path / "base").symlink_to(base.resolve(), target_is_directory=True)
    house = tmp_path / "test-house"
    house.mkdir()
    (house / "image.toml").write_text('[dockerfile]\nbase = "base"\n')
    (house / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo 1 >/made\n")
    yield house
    for name in ("reference", "alias"):
        client.remove_image(getattr(definitions(tmp_path)["test-house"], name), force=True)


def test_a_changed_definition_replaces_its_image_and_leaves_no_nameless_one(images, client, build, house):
    first = build(images, ("test-house",), house.parent)
    assert [one.name for one in first] == ["test-house"]
    old = images.image(first[0].reference)
    assert build(images, ("test-house",), house.parent) == []
    (house / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo 2 >/made\n")
    build(images, ("test-house",), house.parent)
    new = images.image(first[0].reference)
    assert new.id != old.id
    assert images.image(first[0].alias).id == new.id
    assert images.image(old.id) is None


def test_a_build_that_fails_is_an_error_and_names_no_image(images, build, house):
    build(images, ("test-house",), house.parent)
    (house / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo nowhere to go >&2; exit 7\n")
    said = []
    with pytest.raises(EngineError, match="7"):
        build(images, ("test-house",), house.parent, output=said.append)
    assert any("nowhere to go" in line for line in said)
    assert not {one.definition.name: one.current for one in list_images(images, house.parent)}["test-house"]


def test_a_file_that_is_no_tar_is_no_image(images, tmp_path):
    (tmp_path / "no.tar").write_bytes(b"this is not a tar archive" * 100)
    with pytest.raises(EngineError):
        images.import_rootfs(tmp_path / "no.tar", "agentics-test-nothing:1", [], SILENT)
    assert images.image("agentics-test-nothing:1") is None
