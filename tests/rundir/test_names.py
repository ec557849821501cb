"""B8 and the rules of names: what becomes a path cannot leave its place."""

from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentics.errors import UsageError
from agentics.rundir.files import names
from agentics.rundir.run import open_run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

BAD = ["../../x", "", "a/b", "/etc", "..", ".", ".hidden", "-x", "_x", "a" * 129, "a" * 300, "a b", "a\n", "a\0b", "ä",
       "a\\b", "C:x", "a..b", "x\u202ey", "\u0661"]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_b8_a_bad_run_id_is_refused_and_nothing_is_written(tmp_path, bad):
    base = tmp_path / "deep" / "base"
    with pytest.raises(UsageError) as e:
        open_run(base, bad)
    assert (e.value.code, e.value.exit_status) == ("invalid_run_id", 2)
    assert len(e.value.message) < 500
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("good", ["a", "A1", "run-1_x.y", "a" * 128, "20260102_030405"])
def test_b8_a_good_run_id_is_taken_as_it_is(good):
    assert names.run_id(good, now=NOW, limited=False) == good


def test_a_run_id_of_our_own_is_the_utc_time_and_never_twice_the_same():
    made = {names.run_id(None, now=NOW, limited=False) for _ in range(20)}
    assert len(made) == 20
    assert all(name.startswith("20260102_030405_") for name in made)


def test_a_limited_run_has_an_id_of_its_own():
    assert names.run_id("x", now=NOW, limited=True) == "x_LIMITED"
    assert names.run_id("x_LIMITED", now=NOW, limited=True) == "x_LIMITED"
    assert names.run_id(None, now=NOW, limited=True).endswith("_LIMITED")
    with pytest.raises(UsageError):
        names.run_id("a" * 128, now=NOW, limited=True)


def test_a_variant_lies_under_the_last_part_of_its_name():
    assert names.variant_directories(["org1/m", "base"]) == {"m": "org1/m", "base": "base"}


@pytest.mark.parametrize("pair", [("org1/m", "org2/m"), ("a", "A"), ("same", "same")])
def test_two_variants_of_one_directory_are_refused(pair):
    with pytest.raises(UsageError) as e:
        names.variant_directories(pair)
    assert e.value.code == "variant_collision"


@pytest.mark.parametrize(
    "bad", [*sorted(names.RESERVED), "Trials", "RUNTIME", "", "a/", "..", "x/..", "a b", ".x", "a" * 129]
)
def test_a_variant_cannot_take_the_place_of_a_part_of_the_run(bad):
    with pytest.raises(UsageError) as e:
        names.variant_directories([bad])
    assert e.value.code == "invalid_variant"


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), unique=True, max_size=6))
def test_a_task_reference_becomes_one_safe_directory_and_no_two_share_one(refs):
    places = [names.task_directory(ref) for ref in refs]
    assert len(set(places)) == len(refs)
    for place in places:
        assert PurePosixPath(place).name == place
        assert place not in {".", "..", "run_outcome.json", "run_summary.json"}
        assert not place.startswith((".", "-"))
        assert len(place.encode()) <= 255
        assert place.isascii()


@given(st.lists(st.text(min_size=1, max_size=40), unique=True, max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_case_becomes_one_safe_directory_and_no_two_share_one_whatever_the_file_system_tells_apart(cases):
    made = names.case_directories(cases)
    assert list(made) == cases
    assert len({directory.casefold() for directory in made.values()}) == len(cases)
    for directory in made.values():
        assert PurePosixPath(directory).name == directory
        assert not directory.startswith((".", "-"))
        assert len(directory.encode()) < 255


def test_an_ordinary_case_keeps_its_name_and_one_that_could_lead_elsewhere_does_not():
    made = names.case_directories(["huge-values", "A", "a", "..", ".staging-x", "a/b", "~2"])
    assert list(made.values())[:3] == ["huge-values", "A", "a~2"]
    assert list(made.values())[3:] == ["%2E.", "%2Estaging-x", "a%2Fb", "%7E2"]


def test_an_ordinary_task_reference_stays_readable_and_a_long_one_stays_apart():
    assert names.task_directory("range-sums@linux-amd64-cpu") == "range-sums@linux-amd64-cpu"
    assert names.task_directory("a/b") == "a%2Fb"
    assert names.task_directory("run_outcome.json") == "%72un_outcome.json"
    long = ["x" * 400 + end for end in "ab"]
    assert names.task_directory(long[0]) != names.task_directory(long[1])


def test_a_link_in_place_of_the_run_is_refused_and_what_it_names_is_untouched(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "run").symlink_to(elsewhere)
    with pytest.raises(UsageError) as e:
        open_run(tmp_path, "run")
    assert e.value.code == "not_a_run"
    assert list(elsewhere.iterdir()) == []


def test_a_directory_that_is_not_a_run_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(UsageError) as e:
        open_run(tmp_path, "thesis")
    assert e.value.code == "not_a_run"
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]
