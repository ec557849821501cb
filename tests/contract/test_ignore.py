"""Ignore files of strangers: matching ends soon whatever their patterns are, and says the same as ripgrep."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentics.archive import read_solution
from agentics.archive.glob import MatchBudget, TooMuchWork
from agentics.archive.ignore import ignores, patterns
from agentics.errors import InvalidDocument

MANIFEST = {"protocol": "zip_project", "protocol_version": 1, "note": "", "commands": {"run": "run.sh"}}


def matches(line: str, path: str, work: MatchBudget | None = None) -> bool:
    return ignores(patterns(line.encode(), ".gitignore", work or MatchBudget()), path, directory=False) is True


def solution(root, ignore: str | bytes):
    (root / "agentics.solution.json").write_text(json.dumps(MANIFEST))
    (root / "run.sh").write_text("true")
    (root / ".gitignore").write_bytes(ignore.encode() if isinstance(ignore, str) else ignore)
    return root


def refusal(root) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as raised:
        read_solution(root)
    (finding,) = raised.value.findings
    return finding.code, finding.file


HOSTILE = {
    "*a" * 12 + "b": "a" * 250,
    "{a,aa}" * 40 + "b": "a" * 60,
    "{*a,*b}" * 60 + "c": "ab" * 120,
    "**/a/" * 20 + "b": "a/" * 500 + "c",
    "[a-z]*" * 80: "q" * 250 + "/",
    "{" * 400 + "a" + "}" * 400: "b",
    "{a," * 250 + "b" + "}" * 250: "c",
    "?*" * 200: "x/" * 200,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", HOSTILE)
def test_patterns_that_backtracking_never_ends_with_take_little_work(line):
    work = MatchBudget(left=2_000_000)
    assert not matches(line, HOSTILE[line], work)
    assert work.left > 0


@pytest.mark.timeout(120)
def test_a_solution_with_such_patterns_is_packed(tmp_path):
    no_match = (line for line in HOSTILE if line[0] not in "[?")
    ignore = "\n".join([*no_match, *("*a" * n + "b" for n in range(2, 60))])
    (solution(tmp_path, ignore) / ("a" * 200)).touch()
    assert read_solution(tmp_path).file_count == 3


@pytest.mark.timeout(300)
def test_more_work_than_a_solution_may_cause_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("agentics.archive.pack.MatchBudget", lambda: MatchBudget(left=100))
    assert refusal(solution(tmp_path, "*a*b*c")) == ("ignore_files_too_costly", ".")


def test_the_work_of_all_patterns_is_counted_together():
    work = MatchBudget(left=500)
    found = patterns(b"/abc\n/abd\n/abe", ".gitignore", work)
    assert ignores(found, "abc", directory=False) is True
    with pytest.raises(TooMuchWork):
        ignores(found, "x" * 300, directory=False)


@pytest.mark.parametrize(
    ("ignore", "within"),
    [
        ("\n".join(f"name-{n}" for n in range(2048)), True),
        ("\n".join(f"name-{n}" for n in range(2049)), False),
        ("x" * 1024, True),
        ("x" * 1025, False),
        ("# " + "x" * 5000, True),
        ("#" + "x" * (1 << 20), False),
    ],
)
def test_number_and_length_of_patterns_are_bounded(tmp_path, ignore, within):
    solution(tmp_path, ignore)
    if within:
        read_solution(tmp_path)
    else:
        assert refusal(tmp_path) == ("ignore_file_too_large", ".gitignore")


def test_an_ignore_file_further_down_is_called_by_its_path(tmp_path):
    (tmp_path / "in").mkdir()
    (solution(tmp_path, "") / "in" / ".ignore").write_text("x" * 2000)
    assert refusal(tmp_path) == ("ignore_file_too_large", "in/.ignore")


def test_a_solution_that_is_deeper_than_any_walk_goes_is_refused(tmp_path):
    solution(tmp_path, "ignored\n")
    for top in ("deep", "ignored"):
        place = tmp_path / top
        for _ in range(150):
            place.mkdir()
            place = place / "d"
    assert refusal(tmp_path)[0] == "tree_too_deep"
    (tmp_path / "deep").rename(tmp_path / "ignored" / "deep")
    read_solution(tmp_path)


@pytest.mark.parametrize(
    ("line", "yes", "no"),
    [
        ("a**b", ("ab", "axb"), ("a/b",)),
        ("/a/**/b", ("a/b", "a/x/b", "a/x/y/b"), ("ab", "x/a/b")),
        ("a/**", ("a/b", "a/b/c"), ("a", "x/a/b")),
        ("**/a", ("a", "x/a"), ("xa",)),
        ("{a,b{c,d}}e", ("ae", "bce", "x/bde"), ("be", "ace")),
        ("[a-c]x", ("ax", "cx"), ("dx", "/x")),
        ("[!a]x", ("bx", "-x"), ("ax", "x")),
        ("[c-a]", (), ("c", "b", "a")),
        ("{a,b", (), ("a", "b", "{a,b")),
        ("a}", (), ("a", "a}")),
        ("[a", ("[a",), ("a",)),
        ("\\*", ("*",), ("a",)),
        ("a\\", (), ("a", "a\\")),
        ("a,b", ("a,b",), ("a",)),
        ("??", ("ab", "é"), ("a", "abc")),
    ],
)
def test_what_a_pattern_matches(line, yes, no):
    assert [path for path in (*yes, *no) if matches(line, path)] == [*yes]


@given(
    st.lists(st.sampled_from(["*", "?", "a", "b", "[ab]", "[!a]", "{a,b}", "{a,*b}", "{b,{a,aa}}"]), max_size=6),
    st.text(alphabet="abc", min_size=1, max_size=8),
)
def test_within_one_name_globs_match_as_the_regular_expressions_that_they_stand_for(parts, name):
    shown = {"*": "[^/]*", "?": "[^/]", "[!a]": "[^a/]", "{a,b}": "(a|b)", "{a,*b}": "(a|[^/]*b)"}
    wanted = "".join({**shown, "{b,{a,aa}}": "(b|(a|aa))"}.get(part, part) for part in parts)
    wanted = re.sub(r"(\[\^/\]\*)+", "[^/]*", wanted)
    glob = re.sub(r"\*+", "*", "".join(parts))
    if glob:
        assert matches(f"/{glob}", name) == bool(re.fullmatch(wanted, name))
