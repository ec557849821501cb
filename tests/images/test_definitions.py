"""Which images are defined, and which of them are made when."""

import pytest

from agentics.errors import ConfigError, UsageError
from agentics.sandbox.images import definitions, list_images


def names(made):
    return [definition.name for definition in made]


def test_the_repository_defines_a_small_image_a_large_one_and_the_workers():
    known = definitions()
    assert {name: one.optional for name, one in known.items()} == {"base": False, "cpu": True, "lighteval": True}
    assert known["lighteval"].recipe.base == "base"
    assert set(known["base"].recipe.packages) < set(known["cpu"].recipe.packages)
    assert all(one.purpose and one.cost for one in known.values())


def test_what_is_optional_is_made_when_it_is_named_only(store, build, defined):
    recipe = defined / "shed" / "image.toml"
    recipe.write_text(f"optional = true\n{recipe.read_text()}")
    assert names(build(store, directory=defined)) == ["ground", "house"]
    assert names(build(store, ("shed",), defined)) == ["shed"]


def test_what_others_stand_on_is_made_even_if_it_is_optional(store, build, defined):
    recipe = defined / "ground" / "image.toml"
    recipe.write_text(f"optional = true\n{recipe.read_text()}")
    assert names(build(store, directory=defined)) == ["ground", "shed", "house"]


def test_everything_missing_is_made_and_what_others_stand_on_comes_first(store, build, defined):
    assert names(build(store, directory=defined)) == ["ground", "shed", "house"]
    reference, buildargs = store.builds[0]
    assert reference.startswith("agentics-house:")
    assert buildargs["BASE"].startswith("agentics-ground:")


def test_a_second_time_nothing_is_made(store, build, defined):
    build(store, directory=defined)
    assert build(store, directory=defined) == []
    assert all(one.current for one in list_images(store, defined))


def test_a_named_image_brings_what_it_stands_on_and_nothing_else(store, build, defined):
    assert names(build(store, ("house",), defined)) == ["ground", "house"]


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("house/Dockerfile", ["house"]),
        ("ground/c.sh", ["ground", "house"]),
        ("ground/new.txt", ["ground", "house"]),
        ("ground/image.toml", ["ground", "house"]),
    ],
)
def test_a_changed_definition_is_made_again_with_all_that_stands_on_it(store, build, defined, file, made):
    build(store, directory=defined)
    with (defined / file).open("a") as changed:
        changed.write('settings = ["ENV A=b"]\n' if file.endswith(".toml") else "# more\n")
    assert [one.definition.name for one in list_images(store, defined) if not one.current] == made
    assert names(build(store, directory=defined)) == made


def test_other_words_about_an_image_do_not_make_it_again(store, build, defined):
    build(store, directory=defined)
    for more in ('purpose = "sheds"', "optional = true"):
        recipe = defined / "shed" / "image.toml"
        recipe.write_text(f"# A comment\n{more}\n{recipe.read_text()}")
    assert build(store, directory=defined) == []


def test_two_files_that_swap_a_byte_at_their_border_are_another_definition(defined):
    (defined / "shed" / "x").write_text("ab")
    (defined / "shed" / "y").write_text("c")
    before = definitions(defined)["shed"].digest
    (defined / "shed" / "x").write_text("a")
    (defined / "shed" / "y").write_text("bc")
    assert definitions(defined)["shed"].digest != before


def test_an_image_that_was_replaced_is_asked_to_go_and_no_other(store, build, defined):
    build(store, directory=defined)
    old = store.images["agentics-house:latest"].id
    (defined / "house" / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nWORKDIR /\n")
    assert store.replaced == []
    build(store, directory=defined)
    assert store.replaced == [old]


def test_an_image_whose_alias_points_elsewhere_is_made_again(store, build, defined):
    build(store, directory=defined)
    store.images["agentics-shed:latest"] = store.images["agentics-ground:latest"]
    assert names(build(store, directory=defined)) == ["shed"]


def test_an_image_of_somebody_else_under_our_name_is_not_taken_for_ours(store, build, defined):
    reference = definitions(defined)["shed"].reference
    build(store, ("house",), defined)
    store.tag("agentics-ground:latest", reference)
    store.tag("agentics-ground:latest", "agentics-shed:latest")
    assert names(build(store, ("shed",), defined)) == ["shed"]


def test_an_unknown_name_is_refused_before_anything_is_made(store, build, defined):
    with pytest.raises(UsageError) as caught:
        build(store, ("house", "hause"), defined)
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
        '[dockerfile]\nbase = "ground"\n[python]\nversion = "3.11"\n',
        '[rootfs]\npackages = ["p"]\n',
        '[rootfs]\nsuite = "bookworm"\nextends = "ground"\n',
    ],
)
def test_a_definition_that_is_no_definition_is_refused_with_its_file(defined, text):
    (defined / "house" / "image.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"house/image\.toml"):
        definitions(defined)


def extend(defined, more=""):
    """`tower`, which extends `ground` with a package and a script of its own."""
    tower = defined / "tower"
    tower.mkdir(exist_ok=True)
    (tower / "image.toml").write_text(
        f'[rootfs]\nextends = "ground"\npackages = ["for-tower"]\ncustomize = "d.sh"\n{more}'
    )
    (tower / "d.sh").write_text("true\n")
    return tower


def test_an_image_that_extends_another_has_its_packages_settings_and_script_first(defined):
    with (defined / "ground" / "image.toml").open("a") as file:
        file.write('leave_out = ["/a"]\nsettings = ["ENV A=1"]\n')
    extend(defined, 'leave_out = ["/b"]\nsettings = ["ENV B=2"]\n')
    made = definitions(defined)["tower"].recipe
    assert made.suite == "bookworm"
    assert made.packages == ("for-ground", "for-tower")
    assert made.customize == ("ground/c.sh", "tower/d.sh")
    assert (made.leave_out, made.settings) == (("/a", "/b"), ("ENV A=1", "ENV B=2"))


def test_an_image_that_extends_another_is_made_without_it_and_again_when_either_changes(store, build, defined):
    extend(defined)
    assert names(build(store, ("tower",), defined)) == ["tower"]
    assert {name for name in store.contexts[0] if name.endswith(".sh")} == {"ground/c.sh", "tower/d.sh"}
    (defined / "ground" / "c.sh").write_text("false\n")
    assert names(build(store, ("tower",), defined)) == ["tower"]


def test_an_image_of_layers_cannot_be_extended(defined):
    tower = extend(defined)
    (tower / "image.toml").write_text('[rootfs]\nextends = "house"\n')
    with pytest.raises(ConfigError, match="house is made of a Dockerfile"):
        definitions(defined)


def test_an_image_offers_the_commands_of_what_it_stands_on_too(defined):
    for name, commands in {"ground": 'a = "-v"\nb = "-v"', "house": 'b = "--version"\nc = ""'}.items():
        with (defined / name / "image.toml").open("a") as file:
            file.write(f"[commands.tools]\n{commands}\n")
    assert definitions(defined)["house"].commands == {"tools": {"a": "-v", "b": "--version", "c": ""}}


@pytest.mark.parametrize("base", ["house", "nowhere"])
def test_an_image_that_stands_on_nothing_is_refused(defined, base):
    (defined / "house" / "image.toml").write_text(f'[dockerfile]\nbase = "{base}"\n')
    with pytest.raises(ConfigError, match="house"):
        definitions(defined)


def test_the_engine_is_told_the_settings_and_the_definition_of_a_root_directory(store, build, defined):
    with (defined / "shed" / "image.toml").open("a") as file:
        file.write('settings = ["ENV A=b"]\n')
    build(store, ("shed",), defined)
    digest = definitions(defined)["shed"].digest
    assert store.imports[0][1] == ("ENV A=b", f"LABEL org.agentics.definition=sha256:{digest}")
