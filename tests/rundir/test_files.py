"""Files that appear whole, ledgers with a torn end, and content by digest."""

import hashlib
import json
import os
import signal

import pytest
from pydantic import TypeAdapter

from agentics.errors import StorageError
from agentics.model.document.record import Record
from agentics.model.run.directory import RunControl
from agentics.rundir.files import ledger
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import canonical_bytes, make_directory, read_document, write_bytes, write_document


class Line(Record):
    n: int
    text: str = ""


LINES = TypeAdapter(Line)

REWRITE = """
import sys
from pathlib import Path
from agentics.rundir.files.atomic import write_document
path = Path(sys.argv[1])
n = 0
while True:
    n += 1
    write_document(path, {"n": n, "filler": [n] * 20000})
    print(n, flush=True)
"""

APPEND = """
import sys
from pathlib import Path
from agentics.model.document.record import Record
from agentics.rundir.files import ledger
class Line(Record):
    n: int
    text: str = ""
n = 0
while True:
    n += 1
    ledger.append(Path(sys.argv[1]), Line(n=n, text="x" * 50000))
    print(n, flush=True)
"""

STORE = """
import sys
from pathlib import Path
from agentics.rundir.files.artifacts import ArtifactStore
store = ArtifactStore(Path(sys.argv[1]))
n = 0
while True:
    refs = [store.put(bytes([n % 256, k]) * 30000) for k in range(12)]
    store.commit()
    n += 1
    print(*refs, flush=True)
"""


def _killed_after(process, lines: int) -> list[str]:
    seen = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    return [line.strip() for line in [*seen, *process.stdout] if line.endswith("\n")]


@pytest.mark.parametrize("rounds", [1, 2, 5, 9, 14])
def test_a_document_is_whole_when_its_writer_is_killed(tmp_path, script, rounds):
    path = tmp_path / "d.json"
    told = _killed_after(script(REWRITE, path), rounds)
    read = json.loads(path.read_bytes())
    assert read["filler"] == [read["n"]] * 20000
    assert read["n"] >= int(told[-1])


def test_a_reader_never_sees_half_a_document(tmp_path, script):
    path = tmp_path / "d.json"
    process = script(REWRITE, path)
    process.stdout.readline()
    seen = {json.loads(path.read_bytes())["n"]}
    while len(seen) < 30:
        read = json.loads(path.read_bytes())
        assert read["filler"] == [read["n"]] * 20000
        seen.add(read["n"])


@pytest.mark.parametrize("rounds", [1, 3, 7])
def test_every_line_that_was_acknowledged_survives_a_kill(tmp_path, script, rounds):
    path = tmp_path / "l.jsonl"
    told = _killed_after(script(APPEND, path), rounds)
    ledger.append(path, Line(n=0))
    numbers = [line.n for line in ledger.read(path, LINES)]
    assert numbers[-1] == 0
    assert numbers[:-1] == list(range(1, len(numbers)))
    assert len(numbers) - 1 >= int(told[-1])


@pytest.mark.parametrize("rounds", [1, 3, 6])
def test_every_ref_of_a_commit_is_whole_after_a_kill(tmp_path, script, rounds):
    told = _killed_after(script(STORE, tmp_path), rounds)
    store = ArtifactStore(tmp_path)
    for ref in " ".join(told).split():
        assert len(store.read(ref)) == 60000
    store.sweep()
    for blob in tmp_path.glob("*/blob"):
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.parent.name
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("torn", [b'{"n":', b"\x00" * 300, b"x" * 200_000, b'{"n": 3}'])
def test_a_torn_last_line_is_left_out_and_cut_off_before_the_next(tmp_path, torn):
    path = tmp_path / "l.jsonl"
    ledger.append(path, Line(n=1))
    with path.open("ab") as f:
        f.write(torn)
    assert [line.n for line in ledger.read(path, LINES)] == [1]
    ledger.append(path, Line(n=2))
    assert [line.n for line in ledger.read(path, LINES)] == [1, 2]
    assert len(path.read_bytes().splitlines()) == 2


def test_repair_cuts_only_what_is_torn(tmp_path):
    path = tmp_path / "l.jsonl"
    assert ledger.repair(path) == 0
    assert ledger.read(path, LINES) == ()
    ledger.append(path, Line(n=1))
    assert ledger.repair(path) == 0
    with path.open("ab") as f:
        f.write(b"torn")
    assert ledger.repair(path) == 4
    assert path.read_bytes().endswith(b"\n")


def test_a_damaged_line_in_the_middle_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"n": 1}\n{"n": \n{"n": 2}\n')
    with pytest.raises(StorageError, match=r"l\.jsonl"):
        ledger.read(path, LINES)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"n": "x"}', b'{"n": 1, "more": 2}', b"null"])
def test_a_document_that_cannot_be_believed_is_an_error_not_an_absence(tmp_path, content):
    path = tmp_path / "d.json"
    assert read_document(path, Line) is None
    path.write_bytes(content)
    with pytest.raises(StorageError) as e:
        read_document(path, Line)
    assert e.value.code == "damaged_file"


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "d.json"
    write_document(path, {"n": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_document(path, {"n": float("nan")})
    (tmp_path / "place").mkdir()
    with pytest.raises(StorageError):
        write_bytes(tmp_path / "place", b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.json", "place"]
    assert json.loads(path.read_bytes()) == {"n": 1}


def test_a_write_where_no_directory_is_says_which_file_it_was(tmp_path):
    with pytest.raises(StorageError, match=r"absent/d\.json"):
        write_document(tmp_path / "absent" / "d.json", {})


def test_canonical_bytes_do_not_depend_on_the_order_of_keys():
    assert (
        canonical_bytes({"b": [1, {"y": "ä", "x": 1.5}], "a": None}) == '{"a":null,"b":[1,{"x":1.5,"y":"ä"}]}'.encode()
    )


def test_a_document_survives_the_round_trip(tmp_path):
    control = RunControl(run_id="r", status="running", updated_at="2026-01-02T00:00:00Z")
    write_document(tmp_path / "c.json", control)
    assert read_document(tmp_path / "c.json", RunControl) == control


def test_equal_content_is_kept_once_and_visible_after_the_commit(tmp_path):
    store = ArtifactStore(tmp_path / "sha256")
    (tmp_path / "f").write_bytes(b"abc")
    ref = store.put(b"abc")
    assert store.put(tmp_path / "f") == ref == f"artifact://sha256/{hashlib.sha256(b'abc').hexdigest()}"
    assert store.read(ref) == b"abc"
    assert ArtifactStore(tmp_path / "sha256").path(ref).exists() is False
    store.commit()
    assert ArtifactStore(tmp_path / "sha256").read(ref) == b"abc"
    assert store.put(b"abc") == ref
    store.commit()
    store.close()
    assert [p.name for p in (tmp_path / "sha256").iterdir()] == [ref.rsplit("/", 1)[1]]


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (3 << 20) + 7])
def test_content_of_any_size_comes_back_as_it_was(tmp_path, size):
    store = ArtifactStore(tmp_path)
    (source := tmp_path / "f").write_bytes(data := os.urandom(size))
    ref = store.put(source)
    store.commit()
    assert store.read(ref) == data


def test_a_link_or_a_pipe_is_not_content(tmp_path):
    store = ArtifactStore(tmp_path / "s")
    (tmp_path / "secret").write_text("host secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "s", "absent"):
        with pytest.raises(StorageError):
            store.put(tmp_path / name)
    store.commit()
    assert list((tmp_path / "s").glob("*/blob")) == []


@pytest.mark.parametrize(
    "ref", ["", "artifact://sha256/", "artifact://sha256/../../etc/passwd", "artifact://sha256/" + "A" * 64,
            "artifact://sha256/" + "a" * 63, "artifact://md5/" + "a" * 64, "sha256/" + "a" * 64]
)  # fmt: skip
def test_only_exact_refs_name_content(tmp_path, ref):
    with pytest.raises(StorageError) as e:
        ArtifactStore(tmp_path).read(ref)
    assert e.value.code == "bad_artifact_ref"


def test_content_that_changed_is_noticed(tmp_path):
    store = ArtifactStore(tmp_path)
    ref = store.put(b"abc")
    store.commit()
    store.path(ref).write_bytes(b"abd")
    with pytest.raises(StorageError) as e:
        store.read(ref)
    assert e.value.code == "artifact_damaged"


def test_missing_parents_are_made(tmp_path):
    make_directory(tmp_path / "a" / "b" / "c")
    make_directory(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
