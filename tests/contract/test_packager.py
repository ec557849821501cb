"""Packing a directory: deterministic, honouring git's ignore files, refusing what the contract refuses."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from agentics.archive import read_solution
from agentics.archive.pack import SKIPPED
from agentics.errors import InvalidDocument


@pytest.fixture(autouse=True)
def _no_personal_ignores(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def solved(tmp_path, write_tree, solution):
    """A solution directory with these files besides its own."""

    def make(more=(), manifest=None):
        files = {"agentics.solution.json": manifest or solution, "scripts/run.sh": "python3 solve.py\n"}
        return write_tree(tmp_path / "solutions" / "mine", files | dict(more))

    return make


def names(path):
    return zipfile.ZipFile(io.BytesIO(read_solution(path).data)).namelist()


def test_a_directory_is_packed_sorted_and_without_what_is_skipped(solved):
    skipped = {f"{name}/file": "x" for name in SKIPPED} | {f"deep/{name}": "x" for name in SKIPPED}
    hidden = {".hidden": "x", ".config/x": "x", "deep/.x": "x"}
    assert names(solved({**skipped, **hidden, "z.py": "", "a.py": ""})) == [
        *("a.py", "agentics.solution.json", "scripts/run.sh", "z.py")
    ]


def test_the_same_files_give_the_same_bytes(solved, tmp_path, write_tree):
    first = solved({"b.py": "1", "a/c.py": "2"})
    second = write_tree(
        tmp_path / "copy",
        {
            p.relative_to(first).as_posix(): p.read_bytes()
            for p in sorted(first.rglob("*"), reverse=True)
            if p.is_file()
        },
    )
    assert read_solution(first).data == read_solution(second).data
    assert read_solution(first).name == "mine"


def test_permission_bits_are_recorded(solved):
    root = solved()
    (root / "scripts" / "run.sh").chmod(0o751)
    info = zipfile.ZipFile(io.BytesIO(read_solution(root).data)).getinfo("scripts/run.sh")
    assert info.external_attr >> 16 == stat.S_IFREG | 0o751


@pytest.mark.parametrize(
    ("ignore", "files", "packed"),
    [
        ("*.log\n!keep.log\n", ["a.log", "keep.log"], {"keep.log"}),
        ("data/\n", ["data/a", "x/data/b", "x/c"], {"x/c"}),
        ("/data\n", ["data/a", "x/data/b"], {"x/data/b"}),
        ("x/**/z\n", ["x/z", "x/y/z", "z"], {"z"}),
        ("data\n!data/keep\n", ["data/keep"], set()),
        ("# note\n\n!\n*.bin", ["a.bin", "note"], {"note"}),
        (
            "*\n!*/\n!*.py\n!*.json\n!*.sh\n",
            ["a.py", "in/b.py", "in/c.txt", "in/d/e.py"],
            {"a.py", "in/b.py", "in/d/e.py"},
        ),
        ("a/*\n!a/b/\n", ["a/x", "a/b/c", "a/b/d/e"], {"a/b/c", "a/b/d/e"}),
        ("*.{log,tmp}\n[0-9]*\n?x\n", ["a.log", "b.tmp", "c.txt", "1", "ax", "éx"], {"c.txt", "éx"}),
        ("[\n[z-a]\n{a\n*.bin\r\n", ["a", "b.bin", "["], {"a"}),
        ("\ufeffa\nb\\ \nc  \n\\#d\n\\!e\n", ["a", "b ", "c", "#d", "!e", "f"], {"f"}),
        ("!.kept\n!.kept-too/\n", [".kept", ".other", ".kept-too/x", ".kept-too/.y"], {".kept", ".kept-too/x"}),
        ("!dist\n!build/\n", ["dist", "build/x"], set()),
    ],
)
def test_ignored_files_stay_out(ignore, files, packed, solved):
    found = names(solved({".gitignore": ignore, **dict.fromkeys(files, "x")}))
    assert set(found) - {"agentics.solution.json", "scripts/run.sh"} == packed


def test_a_nested_ignore_file_overrides_those_above(solved):
    files = {".gitignore": "*.txt\n", "in/.gitignore": "!yes.txt\n/only-here\n", "in/yes.txt": "", "in/no.txt": ""}
    found = names(solved({**files, "only-here": "", "in/only-here": "", "in/more/only-here": ""}))
    assert set(found) >= {"in/yes.txt", "only-here", "in/more/only-here"}
    assert not {"in/no.txt", "in/only-here"} & set(found)


@pytest.mark.parametrize(
    ("files", "packed"),
    [
        ({".ignore": "*.log\n"}, {"b.txt", "in/a.txt"}),
        ({".ignore": "!*.log\n", ".gitignore": "*.log\n*.txt\n"}, {"a.log", "in/b.log"}),
        ({".ignore": "*.log\n", "in/.gitignore": "!b.log\n"}, {"b.txt", "in/a.txt"}),
        ({".ignore": "*.log\n", "in/.ignore": "!b.log\n"}, {"b.txt", "in/a.txt", "in/b.log"}),
        ({".ignore": "!in\n", ".gitignore": "*.log\n"}, {"b.txt", "in/a.txt"}),
    ],
)
def test_an_ignore_file_counts_more_than_any_of_gits(files, packed, solved):
    found = names(solved({**files, "a.log": "", "b.txt": "", "in/a.txt": "", "in/b.log": ""}))
    assert set(found) - {"agentics.solution.json", "scripts/run.sh"} == packed


def test_ignore_files_count_wherever_they_stand_above_the_workspace(solved, tmp_path):
    root = solved({"a.tmp": "", "b.tmp": "", ".git/HEAD": ""})
    (tmp_path / ".ignore").write_text("a.tmp\n/solutions/mine/b.tmp\n")
    assert names(root) == ["agentics.solution.json", "scripts/run.sh"]


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_name_that_is_not_utf8_is_left_out(kind, solved):
    root = os.fsencode(solved({"good.py": ""}))
    if kind == "file":
        os.close(os.open(root + b"/bad-\xff.py", os.O_CREAT))
    else:
        Path(os.fsdecode(root + b"/scripts/\xe9t\xe9/sub")).mkdir(parents=True)
        os.close(os.open(root + b"/scripts/\xe9t\xe9/sub/x.py", os.O_CREAT))
    assert names(Path(os.fsdecode(root))) == ["agentics.solution.json", "good.py", "scripts/run.sh"]


def test_ignore_files_above_the_workspace_count_up_to_the_repository(solved, tmp_path):
    root = solved({"a.tmp": "", "b.tmp": "", "c.tmp": "", "d.tmp": ""})
    (tmp_path / ".gitignore").write_text("a.tmp\n")
    (tmp_path / "solutions" / ".gitignore").write_text("/mine/b.tmp\n")
    assert {"c.tmp", "d.tmp"} <= set(names(root))
    assert not {"a.tmp", "b.tmp"} & set(names(root))
    (tmp_path / "solutions" / ".git" / "info").mkdir(parents=True)
    (tmp_path / "solutions" / ".git" / "info" / "exclude").write_text("c.tmp\n")
    assert "a.tmp" in names(root)
    assert not {"b.tmp", "c.tmp"} & set(names(root))


def test_the_users_own_excludes_count(solved, tmp_path):
    (tmp_path / "config" / "git").mkdir(parents=True)
    (tmp_path / "config" / "git" / "ignore").write_text("*.swp\n")
    assert "x.swp" not in names(solved({"x.swp": ""}))


def test_the_users_own_excludes_are_where_git_is_told(solved, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").write_text("*.swp\n")
    (tmp_path / ".gitconfig").write_text("[user]\n name = x\n[core]\n\texcludesFile = ~/mine\n")
    assert "x.swp" not in names(solved({"x.swp": ""}))


def test_links_and_special_files_are_not_packed(solved, tmp_path):
    root = solved()
    (tmp_path / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(root / "pipe")
    assert names(root) == ["agentics.solution.json", "scripts/run.sh"]


@pytest.mark.parametrize("key", ["run", "setup", "build"])
def test_a_declared_script_must_exist(key, solved, solution, changed):
    with pytest.raises(InvalidDocument, match=r"gone\.sh is declared but there is no such file"):
        read_solution(solved(manifest=changed(solution, f"/commands/{key}", "gone.sh")))


@pytest.mark.parametrize(
    ("script", "ignore"), [("scripts/x.sh", "scripts/x.sh"), ("build/x.sh", ""), (".x.sh", ""), ("dist/x.sh", "")]
)
def test_a_declared_script_must_not_be_left_out(script, ignore, solved, solution, changed):
    manifest = changed(solution, "/commands/build", script)
    with pytest.raises(InvalidDocument, match="would not be packed") as caught:
        read_solution(solved({script: "", ".gitignore": ignore}, manifest))
    assert caught.value.findings[0].code == "ignored_file"


def test_an_ignored_manifest_is_told(solved):
    with pytest.raises(InvalidDocument, match="would not be packed"):
        read_solution(solved({".gitignore": "*.json"}))


def test_a_script_that_is_a_link_does_not_count(solved):
    root = solved()
    (root / "scripts" / "run.sh").unlink()
    (root / "scripts" / "run.sh").symlink_to("/bin/sh")
    with pytest.raises(InvalidDocument, match="no such file"):
        read_solution(root)


def test_a_directory_without_manifest_is_no_solution(tmp_path):
    with pytest.raises(InvalidDocument) as caught:
        read_solution(tmp_path)
    assert caught.value.findings[0].code == "missing_file"


def test_limits_hold_for_directories_too(solved):
    read_solution(solved({f"f{i}": "" for i in range(254)}))
    with pytest.raises(InvalidDocument, match="257 files"):
        read_solution(solved({f"f{i}": "" for i in range(255)}))


def test_too_many_bytes_are_not_even_read(solved):
    root = solved()
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InvalidDocument, match="52428800"):
        read_solution(root)
