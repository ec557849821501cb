"""What the documents show works: commands parse, paths and links lead somewhere, snippets are valid documents."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
from pydantic import TypeAdapter

from agentics import cli, config
from agentics.cli.arguments import spread
from agentics.cli.evalfile import EvalFile
from agentics.cli.failure import envelope
from agentics.errors import Refused
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.document.formats import read
from agentics.model.evidence.hooks import ControlPlane, HookEvent
from agentics.model.run.experiment_file import RULES, ExperimentFile
from agentics.policy.topologies.parts import CHECKPOINT_ENV, COOPERATION_ENV
from agentics.usecases.control_run import TERMINAL
from tests.docs.conftest import DOCUMENTS, ROOT, code_blocks, commands, section

PAGES = [path for path in DOCUMENTS if path.exists()]
EXAMPLES = sorted({line for path in PAGES for line in commands(path.read_text(encoding="utf-8"))})
OURS = [line for line in EXAMPLES if line.startswith("agentics ")]
GUIDE_LINES = 120
TARGETS = re.compile(r"^([a-z]+):", re.M)


def parse(line: str) -> None:
    """Raises SystemExit or an error of the parser's where the line is no command of ours."""
    words = spread(shlex.split(line)[1:])
    context = typer.main.get_command(cli.command_tree()).make_context("agentics", words)
    while context.invoked_subcommand or context._protected_args:
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("line", OURS)
def test_every_documented_command_parses(line):
    parse(line)


@pytest.mark.parametrize("line", ["agentics evil", "agentics eval --no-such-option", "agentics run gate"])
def test_what_is_no_command_does_not_parse(line):
    with pytest.raises(Exception, match=r"No such|Missing"):
        parse(line)


def test_every_command_has_an_example_on_its_page(generator, cli_page):
    for name, command in generator.walk(cli.command_tree()):
        shown = commands(section(cli_page, f"`{name}`"))
        assert shown, name
        assert shown == generator.examples(command.epilog)
        assert all(line.startswith(name) for line in shown), name


def test_b14_flags_in_docs_equal_those_of_the_commands(generator, cli_page):
    for name, command in generator.walk(cli.command_tree()):
        rows = re.findall(r"^\| `(-[^`]*)`", section(cli_page, f"`{name}`"), re.M)
        parser = typer.main.get_command(typer_with(command))
        declared = [param.opts[0] for param in parser.params if param.opts[0].startswith("--")]
        assert rows == [
            flag for flag in declared if flag not in ("--help", "--install-completion", "--show-completion")
        ]


def typer_with(command) -> typer.Typer:
    app = typer.Typer(add_completion=False)
    app.command("one")(command.callback)
    return app


def test_files_of_this_repository_in_examples_exist():
    for line in EXAMPLES:
        for word in re.findall(r"(?:bundles|scripts|schemas|docs|examples)/[\w./-]+", line):
            assert (ROOT / word).exists(), line


def test_make_targets_in_examples_exist():
    known = set(TARGETS.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    used = {line.split()[1] for line in EXAMPLES if line.startswith("make ")}
    assert {"demo", "test"} <= used <= known


def test_the_index_links_to_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for name in pages if f"]({name})" not in index} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_configuration_shown_is_one_that_is_read(cli_page):
    (shown,) = code_blocks(section(cli_page, "agentics.toml"), "toml")
    read = config.Config.model_validate(tomllib.loads(shown))
    assert read.images.map[0].image == "our-cpu-image"
    assert read.sandbox.relax[0].allow == ("writable_root",)
    assert "HTTPS_PROXY" in read.network.environment


def test_relaxations_that_the_security_model_names_are_all_there_are():
    page = (ROOT / "docs" / "security-model.md").read_text(encoding="utf-8")
    (shown,) = code_blocks(page, "toml")
    config.Config.model_validate(tomllib.loads(shown))
    named = re.findall(r"\w+", shown.partition("# ")[2].splitlines()[0])
    assert named == TypeAdapter(config.Relax).json_schema()["enum"]


def test_the_eval_file_shown_is_one_that_is_read(cli_page):
    (shown,) = code_blocks(section(cli_page, "An eval file"), "toml")
    EvalFile.model_validate(tomllib.loads(shown), strict=True)


def test_the_experiment_shown_is_one_that_is_read_and_its_page_has_every_field():
    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    (shown,) = code_blocks(page, "yaml")
    found = read(ExperimentFile, shown.encode(), "yaml", "experiments.md", RULES)
    assert all((ROOT / task.bundle).is_dir() for task in found.tasks)
    assert all((ROOT / variant.solution).is_dir() for variant in found.variants)
    rows = re.search(r"^\| field \|.*\n\| ---.*\n((?:\|.*\n)+)", page, re.M)
    assert rows is not None
    named = [name for row in rows[1].splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])]
    assert sorted(named) == sorted(ExperimentFile.model_fields)


def test_the_error_shown_to_agents_has_the_keys_of_every_error():
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    (shown,) = code_blocks(page, "json")
    assert json.loads(shown).keys() == envelope(Refused("no")).keys()
    assert json.loads(shown)["error"].keys() == envelope(Refused("no"))["error"].keys()


def test_codes_that_agents_branch_on_are_in_the_code():
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "agentics").rglob("*.py"))
    rows = re.findall(r"^\| `run \w+` \|.*\| ([^|]*) \|$", page, re.M)
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert codes
    known = set(re.findall(r'"(\w+)"', sources)) | {f"continue_{status}" for status in TERMINAL}
    assert codes <= known


def test_the_solution_manifest_shown_to_participants_is_valid():
    page = (ROOT / "docs" / "participants.md").read_text(encoding="utf-8")
    (shown,) = code_blocks(page, "json")
    SolutionManifest.model_validate(json.loads(shown))


def test_the_control_file_shown_to_participants_is_one():
    page = (ROOT / "docs" / "cooperative-solutions.md").read_text(encoding="utf-8")
    (shown,) = code_blocks(page, "json")
    ControlPlane.model_validate_json(shown)


def test_the_variables_and_events_of_a_cooperative_solution_are_those_in_the_code():
    page = (ROOT / "docs" / "cooperative-solutions.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(/agentics-[^`]+)` \| `(AGENTICS_\w+)` \|", page, re.M))
    promised = {**COOPERATION_ENV, **CHECKPOINT_ENV}
    assert {name: path.rstrip("/") for path, name in rows.items()} == promised
    events = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.M))))
    assert events - {"event_type"} == set(HookEvent.model_json_schema()["discriminator"]["mapping"])


def test_the_snippet_of_the_cooperative_solution_is_in_it():
    page = (ROOT / "docs" / "cooperative-solutions.md").read_text(encoding="utf-8")
    solution = (ROOT / "examples" / "cooperative-solution" / "solve.py").read_text(encoding="utf-8")
    (shown,) = code_blocks(page, "python")
    assert all(line in solution for line in shown.splitlines() if line.strip() != "...")


@pytest.mark.parametrize("name", ["authors.md", "participants.md", "cooperative-solutions.md"])
def test_a_guide_stays_short(name):
    assert len((ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()) < GUIDE_LINES


def test_the_storage_shown_is_one_that_is_read_and_its_errors_are_all_there_are():
    page = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    (shown,) = code_blocks(page, "toml")
    assert config.Config.model_validate(tomllib.loads(shown)).storage.schemes == ("file", "s3")
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "agentics" / "storage").glob("*.py"))
    codes = set(re.findall(r'code="(\w+)"', sources)) - {"document_too_large"}
    assert set(re.findall(r"^\| `(\w+)` \| \d", page, re.M)) == codes
