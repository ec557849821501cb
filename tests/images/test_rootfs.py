"""The one command that makes a root directory, on a host and in a container."""

import shlex
from pathlib import Path

from agentics.sandbox.images import definitions
from agentics.sandbox.rootfs import command, job

RECIPE = definitions()["base"].recipe
MADE = {"tar": Path("/t.tar"), "directory": Path("/definitions")}


def test_every_package_of_the_definition_is_asked_for_and_no_recommendation():
    made = command(RECIPE, **MADE, mirror=None)
    assert f"--include={','.join(RECIPE.packages)}" in made
    assert '--aptopt=APT::Install-Recommends "false"' in made
    assert made[-2:] == ("bookworm", "/t.tar")


def test_a_script_in_a_folder_with_a_space_and_a_quote_is_one_word_to_the_shell():
    recipe = RECIPE.model_copy(update={"customize": ("it's.sh", "more.sh")})
    made = command(recipe, tar=Path("/t.tar"), directory=Path("/a folder"), mirror=None)
    hooks = [word.removeprefix("--customize-hook=") for word in made if word.startswith("--customize-hook=")]
    assert [shlex.split(hook) for hook in hooks] == [["sh", f"/a folder/{name}", "$1"] for name in recipe.customize]


def test_a_mirror_stands_for_the_archive_and_for_its_security_updates():
    made = command(RECIPE, **MADE, mirror="http://mirror.example/debian/")
    assert made[-3:] == (
        "deb http://mirror.example/debian bookworm main",
        "deb http://mirror.example/debian bookworm-updates main",
        "deb http://mirror.example/debian-security bookworm-security main",
    )


def test_in_a_container_the_same_command_runs_with_the_same_words():
    here = command(RECIPE, directory=Path("/inputs"), tar=Path("/rootfs.tar"), mirror=None)
    there = shlex.split(job(RECIPE, Path("/definition"), mirror=None).argv[2].rpartition("exec ")[2])
    assert [word for word in there if word not in ("--mode=root", "--skip=check/canmount")] == list(here)


def test_where_this_machine_cannot_make_it_a_container_of_the_same_suite_does(store, build, defined):
    build(store, ("shed",), defined)
    assert [(one.image, one.output) for one in store.jobs] == [("debian:bookworm", "/rootfs.tar")]
    assert set(store.contexts[0]) == {"shed/image.toml", "shed/c.sh"}
