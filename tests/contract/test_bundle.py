"""Bundles on disk: loading, assembling with overlays, and their identity by content."""

import hashlib
import os
import stat
import zipfile

import pytest

from agentics.bundle import assemble, load_challenge, public_copy, tree_digest
from agentics.errors import InvalidDocument


def tree(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def refusal(function, *arguments, **options):
    with pytest.raises(InvalidDocument) as caught:
        function(*arguments, **options)
    return [(f.code, f.file) for f in caught.value.findings]


@pytest.fixture
def overlay(tmp_path, write_tree, run_manifest):
    """An overlay as a directory, or as a ZIP."""

    def make(files=None, name="official-cases", zipped=False):
        if files is None:
            files = {"private-benchmark/runs.json": run_manifest}
        root = write_tree(tmp_path / "overlays" / name, files)
        if not zipped:
            return root
        path = root.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            for item in sorted(root.rglob("*")):
                archive.write(item, item.relative_to(root).as_posix())
        return path

    return make


def test_a_bundle_is_loaded_from_its_directory_or_from_its_proposal(bundle, proposed):
    alone, carried = load_challenge(bundle), load_challenge(proposed)
    assert alone.challenge == carried.challenge
    assert alone.root == bundle
    assert carried.root == proposed / "v1"
    assert alone.proposal is None
    assert carried.proposal.challenge_name == "sum-two"


def test_what_is_no_bundle_is_told_with_a_hint(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InvalidDocument) as caught:
            load_challenge(path)
        assert "agentics.challenge.json" in caught.value.findings[0].hint


@pytest.mark.parametrize("path", ["statement.md", "public/runs.json", "public/c.bin", "spec.json"])
def test_a_file_that_is_missing_or_a_link_is_refused(path, bundle, tmp_path):
    content = (bundle / path).read_bytes()
    (bundle / path).unlink()
    assert [code for code, _ in refusal(load_challenge, bundle)] == ["missing_file"]
    (tmp_path / "elsewhere").write_bytes(content)
    (bundle / path).symlink_to(tmp_path / "elsewhere")
    if path != "spec.json":
        assert [code for code, _ in refusal(load_challenge, bundle)] == ["missing_file"]


def test_findings_of_a_manifest_have_their_place(bundle):
    text = (bundle / "public" / "runs.json").read_text().replace('"stdio"', '"stdoi"', 1)
    (bundle / "public" / "runs.json").write_text(text)
    with pytest.raises(InvalidDocument) as caught:
        load_challenge(bundle)
    (found,) = caught.value.findings
    assert (found.code, found.pointer, found.line) == ("unknown_value", "/runs/0/interface", 5)
    assert found.hint == "did you mean 'stdio'?"
    assert found.file == str(bundle / "public" / "runs.json")


def test_a_manifest_for_no_validation_is_not_looked_at(spec, changed, bundle, encoded):
    (bundle / "public" / "runs.json").unlink()
    (bundle / "spec.json").write_bytes(encoded(changed(spec, "/targets/0/validation_enabled", False)))
    assert load_challenge(bundle).challenge.challenge_name == "sum-two"


def test_an_official_manifest_that_is_public_is_looked_at(spec, changed, bundle, encoded):
    (bundle / "spec.json").write_bytes(encoded(changed(spec, "/execution/official_runs", "public/official.json")))
    assert refusal(load_challenge, bundle) == [("missing_file", str(bundle / "spec.json"))]
    (bundle / "public" / "official.json").write_text("{}")
    assert refusal(load_challenge, bundle) == [("missing_key", str(bundle / "public" / "official.json"))]


def test_a_proposal_that_says_otherwise_is_refused(proposed, proposal, changed, encoded):
    (proposed / "agentics.challenge.json").write_bytes(encoded(changed(proposal, "/title", "Other")))
    assert refusal(load_challenge, proposed) == [("differs_from_spec", str(proposed / "agentics.challenge.json"))]


def test_in_validation_private_data_and_overlays_are_left_out(bundle, overlay, tmp_path, write_tree, bundle_files):
    write_tree(bundle, {"private-benchmark/runs.json": "secret", "not/private-benchmark/x": "kept"})
    made = assemble(load_challenge_of_public(bundle), [overlay()], tmp_path / "dest", "validation")
    assert set(tree(tmp_path / "dest")) == {*bundle_files, "not/private-benchmark/x"}
    assert made.root == tmp_path / "dest"


def load_challenge_of_public(bundle):
    """The bundle although its private manifest is in place and broken."""
    hidden = bundle / "private-benchmark" / "runs.json"
    content = hidden.read_bytes()
    hidden.unlink()
    loaded = load_challenge(bundle)
    hidden.write_bytes(content)
    return loaded


@pytest.mark.parametrize("zipped", [False, True])
def test_in_official_mode_overlays_are_laid_over(zipped, bundle, overlay, tmp_path, bundle_files):
    assemble(load_challenge(bundle), [overlay(zipped=zipped)], tmp_path / "dest", "official")
    assert set(tree(tmp_path / "dest")) == {*bundle_files, "private-benchmark/runs.json"}


def test_modes_are_normalised_and_owners_may_write(bundle, overlay, tmp_path):
    (bundle / "separated-evaluator" / "e.py").chmod(0o700)
    (bundle / "statement.md").chmod(0o666)
    dest = tmp_path / "dest"
    assemble(load_challenge(bundle), [overlay()], dest, "official")
    modes = {p.relative_to(dest).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in dest.rglob("*")}
    assert modes["separated-evaluator/e.py"] == 0o755
    assert modes["statement.md"] == modes["private-benchmark/runs.json"] == 0o644
    assert modes["public"] == modes["private-benchmark"] == stat.S_IMODE(dest.stat().st_mode) == 0o755


@pytest.mark.parametrize("zipped", [False, True])
def test_an_overlay_cannot_overwrite(zipped, bundle, overlay, tmp_path, run_manifest):
    private = {"private-benchmark/runs.json": run_manifest}
    loaded = load_challenge(bundle)
    over = overlay({**private, "statement.md": "mine"}, zipped=zipped)
    assert refusal(assemble, loaded, [over], tmp_path / "a", "official")[0][0] == "file_exists"
    twice = [overlay(private, name="one", zipped=zipped), overlay(private, name="two", zipped=zipped)]
    assert refusal(assemble, loaded, twice, tmp_path / "b", "official")[0][0] == "file_exists"
    folder = overlay({**private, "statement.md/x": "mine"}, name="three", zipped=zipped)
    assert refusal(assemble, loaded, [folder], tmp_path / "c", "official")[0][0] == "file_exists"
    file = overlay({**private, "public": "mine"}, name="four", zipped=zipped)
    assert refusal(assemble, loaded, [file], tmp_path / "d", "official")[0][0] == "file_exists"


def test_links_are_never_copied(bundle, overlay, tmp_path):
    loaded = load_challenge(bundle)
    over = overlay()
    (over / "link").symlink_to("/etc/passwd")
    assert refusal(assemble, loaded, [over], tmp_path / "a", "official") == [("symlink", f"{over}/link")]
    (bundle / "public" / "more").symlink_to("/etc")
    assert refusal(assemble, loaded, [], tmp_path / "b", "validation") == [("symlink", "public/more")]
    assert refusal(public_copy, loaded, tmp_path / "b")[0][0] in {"symlink", "file_exists"}
    os.mkfifo(bundle / "pipe")
    assert ("special_file", "pipe") in refusal(assemble, loaded, [], tmp_path / "c", "validation")


def test_a_hostile_overlay_is_refused(bundle, tmp_path):
    def archive(name, *entries):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as file:
            for entry in entries:
                file.writestr(entry, "x")
        return path

    loaded = load_challenge(bundle)
    bad = [archive("slip.zip", "../x"), archive("two.zip", "a", "a\\..\\b")]
    many = archive("many.zip", *(f"f{i}" for i in range(1025)))
    for path, code in (*((p, "bad_path") for p in bad), (many, "too_many_entries")):
        assert {c for c, _ in refusal(assemble, loaded, [path], tmp_path / path.stem, "official")} == {code}
    (tmp_path / "text.zip").write_text("no zip")
    assert refusal(assemble, loaded, [tmp_path / "text.zip"], tmp_path / "t", "official")[0][0] == "not_a_zip"
    assert refusal(assemble, loaded, [tmp_path / "gone"], tmp_path / "g", "official")[0][0] == "missing_file"
    assert not (tmp_path / "x").exists()


def test_official_data_that_is_missing_is_asked_for(bundle, tmp_path):
    with pytest.raises(InvalidDocument) as caught:
        assemble(load_challenge(bundle), [], tmp_path / "dest", "official")
    assert [(f.file, f.pointer) for f in caught.value.findings] == [
        ("sum-two/spec.json", "/datasets/private_benchmark_dir"),
        ("sum-two/spec.json", "/execution/official_runs"),
    ]
    assert all(f.line and "--overlay" in f.hint for f in caught.value.findings)
    assert any(f.hint and "--overlay" in f.hint for f in caught.value.findings)


def test_a_missing_evaluator_is_found_in_time_and_may_come_with_an_overlay(bundle, overlay, tmp_path, run_manifest):
    (bundle / "separated-evaluator" / "e.py").unlink()
    loaded = load_challenge(bundle)
    with pytest.raises(InvalidDocument) as caught:
        assemble(loaded, [], tmp_path / "a", "validation")
    (found,) = caught.value.findings
    assert (found.code, found.file) == ("missing_file", "sum-two/spec.json")
    assert found.pointer == "/execution/separated_evaluator/command/1"
    files = {"private-benchmark/runs.json": run_manifest, "separated-evaluator/e.py": "print()"}
    assemble(loaded, [overlay(files)], tmp_path / "b", "official")


def test_the_official_manifest_is_checked_once_it_is_there(bundle, overlay, tmp_path):
    broken = overlay({"private-benchmark/runs.json": {"runs": []}})
    found = refusal(assemble, load_challenge(bundle), [broken], tmp_path / "dest", "official")
    assert found == [("empty_list", "sum-two/private-benchmark/runs.json")]


def test_a_required_asset_must_be_given(proposed, overlay, tmp_path, run_manifest):
    loaded = load_challenge(proposed)
    assert refusal(assemble, loaded, [], tmp_path / "a", "official") == [("private_asset", "agentics.challenge.json")]
    wrong = overlay({"private-benchmark/other.json": {}})
    assert refusal(assemble, loaded, [wrong], tmp_path / "b", "official")[0][0] == "private_asset"
    other = overlay({"private-benchmark/other.json": {}}, name="any-name")
    assert refusal(assemble, loaded, [other], tmp_path / "c", "official")[0][0] == "private_asset"
    assemble(loaded, [overlay(name="whatever", zipped=True)], tmp_path / "d", "official")
    assemble(loaded, [], tmp_path / "e", "validation")


def test_a_required_path_may_be_a_directory(proposed, proposal, changed, encoded, overlay, tmp_path):
    paths = ["private-benchmark"]
    wanted = changed(proposal, "/private_assets/0/required_paths", paths)
    (proposed / "agentics.challenge.json").write_bytes(encoded(wanted))
    assemble(load_challenge(proposed), [overlay(zipped=True)], tmp_path / "d", "official")


def test_a_static_official_manifest_needs_an_asset_of_its_kind(proposed, proposal, changed, encoded, overlay, tmp_path):
    (proposed / "agentics.challenge.json").write_bytes(
        encoded(changed(proposal, "/private_assets/0/kind", "private_seeds"))
    )
    found = refusal(assemble, load_challenge(proposed), [overlay()], tmp_path / "d", "official")
    assert found == [("private_asset", "agentics.challenge.json")]


def test_data_that_is_already_in_place_needs_no_overlay(proposed, write_tree, run_manifest, tmp_path):
    write_tree(proposed / "v1", {"private-benchmark/runs.json": run_manifest})
    assemble(load_challenge(proposed), [], tmp_path / "d", "official")
    assert (tmp_path / "d" / "private-benchmark" / "runs.json").is_file()


def field(label, value):
    return len(label).to_bytes(8, "big") + label + len(value).to_bytes(8, "big") + value


def test_the_digest_has_the_exact_bytes(tmp_path, write_tree):
    write_tree(tmp_path, {"a/x": "1", "a/b/y": "22", "c": "", "d/z": b"\0"})
    expected = b"".join(
        (
            field(b"dir", b"a"),
            *(field(b"file", b"c"), field(b"file_size", bytes(8))),
            field(b"dir", b"d"),
            *(field(b"file", b"d/z"), field(b"file_size", (1).to_bytes(8, "big")), b"\0"),
            field(b"dir", b"a/b"),
            *(field(b"file", b"a/x"), field(b"file_size", (1).to_bytes(8, "big")), b"1"),
            *(field(b"file", b"a/b/y"), field(b"file_size", (2).to_bytes(8, "big")), b"22"),
        )
    )
    assert tree_digest(tmp_path) == hashlib.sha256(expected).hexdigest()


def test_the_digest_depends_on_names_and_bytes_and_on_nothing_else(tmp_path, write_tree):
    first = write_tree(tmp_path / "one", {"a": "x", "b": ""})
    second = write_tree(tmp_path / "two", {"b": "", "a": "x"})
    (second / "a").chmod(0o755)
    os.utime(second / "a", (0, 0))
    assert tree_digest(first) == tree_digest(second)
    digests = {tree_digest(first)}
    for files in ({"a": "y", "b": ""}, {"a": "", "b": "x"}, {"ab": "x"}, {"a/b": "x"}):
        digests.add(tree_digest(write_tree(tmp_path / str(len(digests)), files)))
    assert len(digests) == 5


def test_a_link_has_no_digest(bundle):
    (bundle / "link").symlink_to("spec.json")
    assert refusal(tree_digest, bundle) == [("symlink", "link")]


def test_depth_is_bounded(bundle, tmp_path):
    loaded = load_challenge(bundle)
    (bundle / "/".join("d" * 140)).mkdir(parents=True)
    assert refusal(assemble, loaded, [], tmp_path / "dest", "validation")[0][0] == "tree_too_deep"
    assert refusal(tree_digest, bundle)[0][0] in {"tree_too_large", "tree_too_deep"}


def test_a_zip_of_the_same_data_gives_the_same_tree(bundle, overlay, tmp_path):
    loaded = load_challenge(bundle)
    assemble(loaded, [overlay()], tmp_path / "a", "official")
    assemble(loaded, [overlay(zipped=True)], tmp_path / "b", "official")
    assert tree_digest(tmp_path / "a") == tree_digest(tmp_path / "b")
