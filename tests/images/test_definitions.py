"""Which images are defined, and which of them are made when."""

import pytest

from agentics.errors import ConfigError, UsageError
from agentics.sandbox.images import build_missing, definitions, list_images


def names(made):
    return [definition.name for definition in made]


def silent(_line):
    return None


def test_the_repository_defines_cpu_on_base():
    assert names(definitions().values()) == ["base", "cpu", "lighteval"]
    assert definitions()["cpu"].recipe.base == "base"
    assert definitions()["lighteval"].recipe.base == "cpu"


def test_what_is_optional_is_made_when_it_is_named_only(store, defined):
    recipe = defined / "shed" / "image.toml"
    recipe.write_text(f"optional = true\n{recipe.read_text()}")
    assert names(build_missing(store, (), silent, defined)) == ["ground", "house"]
    assert names(build_missing(store, ("shed",), silent, defined)) == ["shed"]


def test_what_others_stand_on_is_made_even_if_it_is_optional(store, defined):
    recipe = defined / "ground" / "image.toml"
    recipe.write_text(f"optional = true\n{recipe.read_text()}")
    assert names(build_missing(store, (), silent, defined)) == ["ground", "shed", "house"]


def test_everything_missing_is_made_and_what_others_stand_on_comes_first(store, defined):
    assert names(build_missing(store, (), silent, defined)) == ["ground", "shed", "house"]
    reference, buildargs = store.builds[0]
    assert reference.startswith("agentics-house:")
    assert buildargs["BASE"].startswith("agentics-ground:")


def test_a_second_time_nothing_is_made(store, defined):
    build_missing(store, (), silent, defined)
    assert build_missing(store, (), silent, defined) == []
    assert all(one.current for one in list_images(store, defined))


def test_a_named_image_brings_what_it_stands_on_and_nothing_else(store, defined):
    assert names(build_missing(store, ("house",), silent, defined)) == ["ground", "house"]


@pytest.mark.parametrize(
    ("file", "made"),
    [("house/Dockerfile", ["house"]), ("ground/c.sh", ["ground", "house"]), ("ground/new.txt", ["ground", "house"])],
)
def test_a_changed_definition_is_made_again_with_all_that_stands_on_it(store, defined, file, made):
    build_missing(store, (), silent, defined)
    with (defined / file).open("a") as changed:
        changed.write("# more\n")
    assert [one.definition.name for one in list_images(store, defined) if not one.current] == made
    assert names(build_missing(store, (), silent, defined)) == made


def test_two_files_that_swap_a_byte_at_their_border_are_another_definition(defined):
    (defined / "shed" / "x").write_text("ab")
    (defined / "shed" / "y").write_text("c")
    before = definitions(defined)["shed"].digest
    (defined / "shed" / "x").write_text("a")
    (defined / "shed" / "y").write_text("bc")
    assert definitions(defined)["shed"].digest != before


def test_an_image_that_was_replaced_is_asked_to_go_and_no_other(store, defined):
    build_missing(store, (), silent, defined)
    old = store.images["agentics-house:latest"].id
    (defined / "house" / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nWORKDIR /\n")
    assert store.replaced == []
    build_missing(store, (), silent, defined)
    assert store.replaced == [old]


def test_an_image_whose_alias_points_elsewhere_is_made_again(store, defined):
    build_missing(store, (), silent, defined)
    store.images["agentics-shed:latest"] = store.images["agentics-ground:latest"]
    assert names(build_missing(store, (), silent, defined)) == ["shed"]


def test_an_image_of_somebody_else_under_our_name_is_not_taken_for_ours(store, defined):
    reference = definitions(defined)["shed"].reference
    build_missing(store, ("house",), silent, defined)
    store.tag("agentics-ground:latest", reference)
    store.tag("agentics-ground:latest", "agentics-shed:latest")
    assert names(build_missing(store, ("shed",), silent, defined)) == ["shed"]


def test_an_unknown_name_is_refused_before_anything_is_made(store, defined):
    with pytest.raises(UsageError) as caught:
        build_missing(store, ("house", "hause"), silent, defined)
    assert "hause" in caught.value.message
    assert "house" in caught.value.hint
    assert not store.images


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[rootfs\n",
        '[dockerfile]\nbase = "ground"\n[rootfs]\nsuite = "s"\npackages = []\ncustomize = "c"\n',
        '[dockerfile]\nbase = "ground"\nbsae = "x"\n',
        "[dockerfile]\nbase = 1\n",
        '[rootfs]\nsuite = "bookworm"\n',
        '[dockerfile]\nbase = "ground"\n[python]\nversion = "3.11"\n',
        '[rootfs]\nsuite = "s"\npackages = []\ncustomize = "c"\n[python]\nversion = "3.11"\nrequirements = "r"\n',
    ],
)
def test_a_definition_that_is_no_definition_is_refused_with_its_file(defined, text):
    (defined / "house" / "image.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"house/image\.toml"):
        definitions(defined)


@pytest.mark.parametrize("base", ["house", "nowhere"])
def test_an_image_that_stands_on_nothing_is_refused(defined, base):
    (defined / "house" / "image.toml").write_text(f'[dockerfile]\nbase = "{base}"\n')
    with pytest.raises(ConfigError, match="house"):
        definitions(defined)


def test_the_engine_is_told_the_settings_and_the_definition_of_a_root_directory(store, defined):
    with (defined / "shed" / "image.toml").open("a") as file:
        file.write('settings = ["ENV A=b"]\n')
    build_missing(store, ("shed",), silent, defined)
    digest = definitions(defined)["shed"].digest
    assert store.imports[0][1] == ("ENV A=b", f"LABEL org.agentics.definition=sha256:{digest}")
