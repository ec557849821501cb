"""Python packages as a layer of an image: by the real pip, from an index of files."""

import pytest

from agentics.errors import EngineError
from agentics.sandbox.images import definitions, list_images
from tests.images.conftest import Index

pytestmark = pytest.mark.slow


@pytest.fixture
def house(defined, index):
    """`house` with the package `brick`, pinned, of two modules and its tests."""
    files = {"brick/__init__.py": "BRICK = 1\n", "brick/tests/test_it.py": "", "brick/wall/tests/test_it.py": ""}
    recipe = '[dockerfile]\nbase = "ground"\n[python]\nversion = "3.11"\nrequirements = "r.txt"\n'
    (defined / "house" / "image.toml").write_text(f'{recipe}leave_out = ["brick/**/tests", "bin"]\n')
    (defined / "house" / "r.txt").write_text(index.add("brick", "1.0", files))
    return defined / "house"


@pytest.fixture
def made(store, build, house):
    """Builds the image; its context, and what was said."""

    def call():
        said = []
        build(store, ("house",), house.parent, log=said.append, output=said.append)
        return store.contexts[-1], said

    return call


def also(house, index_url):
    with (house / "image.toml").open("a") as recipe:
        recipe.write(f'[python.elsewhere]\npackages = ["mortar==1.0+ours"]\nindex = "{index_url}"\n')


def test_the_packages_lie_beside_the_dockerfile_without_bytecode_and_without_what_is_left_out(made, house):
    context, said = made()
    packages = sorted(name for name in context if name.startswith("site/brick/"))
    assert packages == ["site/brick/__init__.py"]
    assert context["Dockerfile"] == (house / "Dockerfile").read_text()
    assert any("brick-1.0" in line for line in said)


def test_the_definition_itself_stays_as_it_was(made, house):
    before = definitions(house.parent)["house"].digest
    made()
    assert sorted(path.name for path in house.iterdir()) == ["Dockerfile", "image.toml", "r.txt"]
    assert definitions(house.parent)["house"].digest == before


def test_another_pin_is_another_image(store, made, house, index):
    made()
    (house / "r.txt").write_text(index.add("brick", "2.0", {"brick/__init__.py": "BRICK = 2\n"}))
    assert not {one.definition.name: one.current for one in list_images(store, house.parent)}["house"]
    assert made()[0]["site/brick/__init__.py"] == "BRICK = 2\n"


def test_a_package_that_is_not_what_was_locked_makes_no_image(store, made, house, index):
    index.add("brick", "1.0", {"brick/__init__.py": "EVIL = 1\n"})
    with pytest.raises(EngineError, match="DO NOT MATCH THE HASHES") as caught:
        made()
    assert caught.value.code == "image_build_failed"
    assert "agentics-house:latest" not in store.images


def test_a_package_without_a_hash_makes_no_image(made, house):
    (house / "r.txt").write_text("brick==1.0\n")
    with pytest.raises(EngineError, match="hash"):
        made()


def test_what_this_machines_pip_does_not_find_is_asked_for_elsewhere(made, house, tmp_path):
    elsewhere = Index(tmp_path / "elsewhere")
    elsewhere.add("mortar", "1.0+ours", {"mortar.py": "OURS = 1\n"})
    also(house, elsewhere.url)
    context, said = made()
    assert context["site/mortar.py"] == "OURS = 1\n"
    assert "site/brick/__init__.py" in context
    assert any(f"asking {elsewhere.url}" in line for line in said)


def test_where_this_machines_pip_finds_it_nobody_else_is_asked(made, house, index):
    index.add("mortar", "1.0+ours", {"mortar.py": "HERE = 1\n"})
    also(house, "http://127.0.0.1:9/simple")
    context, said = made()
    assert context["site/mortar.py"] == "HERE = 1\n"
    assert not any("asking" in line for line in said)


def test_what_is_nowhere_is_an_error_with_pips_words_and_says_what_counts(made, house, tmp_path):
    also(house, Index(tmp_path / "elsewhere").url)
    with pytest.raises(EngineError, match="No matching distribution found for mortar") as caught:
        made()
    assert "PIP_INDEX_URL" in caught.value.hint


def test_the_scripts_of_a_root_directory_find_the_packages_of_their_definition(store, build, defined, index):
    with (defined / "shed" / "image.toml").open("a") as recipe:
        recipe.write('[python]\nversion = "3.11"\nrequirements = "r.txt"\n')
    (defined / "shed" / "r.txt").write_text(index.add("brick", "1.0", {"brick.py": "BRICK = 1\n"}))
    build(store, ("shed",), defined)
    assert store.contexts[-1]["shed/site/brick.py"] == "BRICK = 1\n"
