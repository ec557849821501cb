"""Ledgers whose lines know the line before: nothing in them can be changed, moved or taken out unseen."""

import hashlib
import json
import threading

import pytest
from pydantic import TypeAdapter

from agentics.model.document.record import Record
from agentics.rundir.files import ledger


class Line(Record):
    n: int
    text: str = ""


class Empty(Record):
    pass


LINES = TypeAdapter(Line)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def recorder(tmp_path):
    path = tmp_path / "l.jsonl"
    for n in range(1, 6):
        ledger.append(path, Line(n=n, text="ä" * 10))
    return path


def lines(path):
    return path.read_bytes().split(b"\n")[:-1]


def test_every_line_ends_with_the_digest_of_the_line_before(recorder):
    before = "sha256:" + "0" * 64
    for line in lines(recorder):
        assert list(json.loads(line))[-1] == "prev"
        assert json.loads(line)["prev"] == before
        before = digest(line)
    assert ledger.heads(recorder) == (5, before)
    assert ledger.check_chain(recorder) is None


def test_what_is_read_is_what_was_appended(recorder):
    assert [line.n for line in ledger.read(recorder, LINES)] == [1, 2, 3, 4, 5]
    assert ledger.read(recorder, LINES)[0] == Line(n=1, text="ä" * 10)


def test_a_text_that_looks_like_a_link_stays_a_text(tmp_path):
    path = tmp_path / "l.jsonl"
    sly = Line(n=1, text='","prev":"sha256:' + "a" * 64 + '"}')
    ledger.append(path, sly)
    ledger.append(path, sly)
    assert ledger.read(path, LINES) == (sly, sly)
    assert ledger.check_chain(path) is None


def test_a_record_without_keys_is_chained_too(tmp_path):
    path = tmp_path / "l.jsonl"
    ledger.append(path, Empty())
    ledger.append(path, Empty())
    assert ledger.read(path, TypeAdapter(Empty)) == (Empty(), Empty())
    assert ledger.check_chain(path) is None


def test_a_ledger_that_is_not_there_has_no_lines(tmp_path):
    assert ledger.heads(tmp_path / "none.jsonl") == (0, ledger.ORIGIN)
    assert ledger.check_chain(tmp_path / "none.jsonl") is None


def test_a_line_longer_than_what_is_read_at_once_is_chained_whole(tmp_path):
    path = tmp_path / "l.jsonl"
    for n in range(3):
        ledger.append(path, Line(n=n, text="x" * 200_000))
    assert ledger.check_chain(path) is None


def test_a_torn_line_is_cut_off_and_the_next_is_chained_to_the_one_before_it(recorder):
    whole = recorder.read_bytes()
    for torn in (whole[-40:-1], b"{", b"\x00" * 70_000):
        recorder.write_bytes(whole + torn)
        assert ledger.heads(recorder)[0] == 5
        ledger.append(recorder, Line(n=6))
        assert ledger.check_chain(recorder) is None
        assert [line.n for line in ledger.read(recorder, LINES)] == [1, 2, 3, 4, 5, 6]
        recorder.write_bytes(whole)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_c6_an_altered_line_is_named_by_its_number(recorder, number):
    found = lines(recorder)
    for place in (b'"n":', b'"text":"', b'"prev":"sha256:'):
        at = found[number - 1].index(place) + len(place)
        altered = bytearray(found[number - 1])
        altered[at] ^= 1
        changed = [*found[: number - 1], bytes(altered), *found[number:]]
        recorder.write_bytes(b"\n".join(changed) + b"\n")
        assert ledger.check_chain(recorder) == number, place


def test_c6_lines_taken_out_moved_or_unchained_break_the_chain(recorder):
    found = lines(recorder)
    stripped = json.loads(found[2])
    del stripped["prev"]
    for changed in (
        found[1:],
        [*found[:2], *found[3:]],
        [found[0], found[2], found[1], *found[3:]],
        [*found[:2], found[2], *found[2:]],
        [*found[:2], json.dumps(stripped).encode(), *found[3:]],
    ):
        recorder.write_bytes(b"\n".join(changed) + b"\n")
        assert ledger.check_chain(recorder) is not None


def test_c6_a_ledger_cut_at_a_line_has_another_head(recorder):
    kept = ledger.heads(recorder)
    recorder.write_bytes(b"\n".join(lines(recorder)[:4]) + b"\n")
    assert ledger.check_chain(recorder) is None
    assert ledger.heads(recorder) != kept


def test_threads_that_append_to_one_ledger_leave_one_chain(tmp_path):
    path = tmp_path / "l.jsonl"
    start = threading.Barrier(8)

    def work(who):
        start.wait()
        for n in range(20):
            ledger.append(path, Line(n=who * 100 + n))

    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [line.n for line in ledger.read(path, LINES)]
    assert sorted(numbers) == sorted(who * 100 + n for who in range(8) for n in range(20))
    assert all([n for n in numbers if n // 100 == who] == [who * 100 + n for n in range(20)] for who in range(8))
    assert ledger.check_chain(path) is None


def test_a_line_of_a_ledger_is_one_line_for_every_reader(tmp_path):
    text = "a\u2028b\u2029c\x85d\ne"
    ledger.append(tmp_path / "l.jsonl", Line(n=1, text=text))
    assert len((tmp_path / "l.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert ledger.read(tmp_path / "l.jsonl", LINES) == (Line(n=1, text=text),)


def test_c6_the_only_line_of_a_ledger_is_named_where_it_says_that_another_came_before(tmp_path):
    path = tmp_path / "l.jsonl"
    ledger.append(path, Line(n=1))
    assert ledger.check_chain(path) is None
    path.write_bytes(path.read_bytes().replace(b'"prev":"sha256:0', b'"prev":"sha256:1'))
    assert ledger.check_chain(path) == 1
