"""The table of `agentics doctor --attack`, and what it answers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agentics.attacks.catalogue import Ending, cases
from agentics.attacks.rows import AttackRow, judged, unshown
from agentics.attacks.suite import AttackReport
from agentics.attacks.surroundings import Machine
from agentics.cli import main
from agentics.cli.attack import show

MACHINE = Machine(engine="docker 28.2.2", runtime="runsc", places="directory", root=False, network=True)
CASES = cases()
WRONG = Ending(status="error", reason="a_reason_that_is_as_long_as_reasons_hardly_are", fault="infrastructure")


@pytest.fixture
def rows():
    right = [judged(case, MACHINE, replace(case.expected(MACHINE.holding), reason=None), []) for case in CASES[:1]]
    wrong = [judged(case, MACHINE, WRONG, ["NOT CONTAINED " + "[red]\x1b[31m/very/long/path" * 9]) for case in CASES]
    hidden = [unshown(case, MACHINE, "this machine lacks: bounded, loop, network, root") for case in CASES]
    after = AttackRow.of_group(
        "lies", Ending(status="nothing left"), Ending(status="2 things"), ["mount a", "scratch b"]
    )
    return (*right, *wrong, *hidden, after)


def test_the_table_fits_a_terminal_and_nothing_in_it_steers_one(rows, capsys):
    show(AttackReport(machine=MACHINE, part="whole", rows=rows))
    said = capsys.readouterr().out
    assert max(len(line) for line in said.splitlines()) <= 80
    assert "\x1b" not in said
    assert "mount a; scratch b" in said
    assert "the whole suite: 1 ok" in said
    assert f"{len(CASES)} not shown" in said
    assert said.splitlines()[-1] == "docker 28.2.2, runsc, directory places, as a plain user"


def test_what_was_not_shown_counts_neither_way(rows):
    shown = [row for row in rows if row.status == "not shown"]
    report = AttackReport(machine=MACHINE, part="quick", rows=tuple(shown))
    assert report.ok
    assert report.counts == {"ok": 0, "failed": 0, "not shown": len(CASES)}
    assert not AttackReport(machine=MACHINE, part="quick", rows=rows).ok


def test_the_document_for_programs_has_every_row(rows):
    document = AttackReport(machine=MACHINE, part="quick", rows=rows).document()
    assert (document["ok"], document["command"], len(document["cases"])) == (False, "doctor", len(rows))
    assert document["machine"]["runtime"] == "runsc"
    assert {"case", "group", "numbers", "title", "expected", "found", "status", "why"} == set(document["cases"][0])


@pytest.mark.parametrize(
    "words",
    [["--full"], ["--case", "files/honest"], ["--attack", "--setups"], ["--attack", "--full", "--case", "lies/fifo"]],
)
def test_options_that_do_not_go_together_are_refused(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(["doctor", *words])
    assert end.value.code == 2


def test_a_case_that_there_is_not_is_refused_and_the_nearest_is_named(capsys):
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--attack", "--case", "lies/fifos", "--json"])
    assert end.value.code == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["hint"]) == ("unknown_case", "did you mean 'lies/fifo'?")


def test_without_an_engine_nothing_is_attacked(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--attack", "--json"])
    assert end.value.code == 5
    assert '"engine_missing"' in capsys.readouterr().out
