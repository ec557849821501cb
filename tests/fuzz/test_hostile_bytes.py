"""Bytes of strangers, made by hypothesis: an answer or a typed error, never a traceback, and no wrong acceptance.

Budgets are examples, so that a slow machine tries no less; what is tried is the same in every run.
"""

import io
import posixpath
import zipfile
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentics.archive.tree import bad_name
from agentics.model.document.strict_types import ChallengeName, RelPath, RunName, Token
from agentics.policy.verdict import transcript
from agentics.policy.verdict.case_files import is_safe
from tests.fuzz import samples
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import ACCEPTED, DOCUMENTS, archive, collector, events, json_text

SAMPLES = samples.documents()
NAMES = st.sampled_from(
    [
        *(
            "a",
            "a/",
            "a/b",
            "A",
            "../a",
            "/a",
            "a//b",
            "./a",
            "a/..",
            "a\\b",
            "",
            "c:\\x",
            "a\0b",
            "é",
            "e\u0301",
            "a\n",
        ),
        *(
            "agentics.solution.json",
            "x" * 300,
            "d/" * 200 + "f",
            " a",
            "a ",
            "NUL",
            "\u202ea",
            "a/b/c",
            "~",
            "-rf",
            ".",
        ),
    ]
)


def budget(examples):
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


@budget(150)
@given(st.sampled_from([text for _, text in SAMPLES if len(text) < 2000]), st.integers(0, 2**32))
def test_malformed_json_is_read_as_python_reads_it_or_refused(text, seed):
    json_text(mutated(text, Random(seed)))


@budget(200)
@given(st.text(alphabet='{}[]",:\\/0123456789.eE+-truefalsn \n\ud7ff\U0001f600', max_size=30).map(str.encode))
def test_text_that_is_nearly_json_is_read_as_python_reads_it_or_refused(data):
    json_text(data)


def test_a_surrogate_in_a_value_that_a_later_key_replaces_is_refused():
    assert json_text(rb'{"a": "\ud800", "a": 1}') == "lone_surrogate"


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in SAMPLES}))
def test_malformed_documents_are_refused_with_a_place_or_accepted_for_good(kind):
    texts = [text for each, text in SAMPLES if each == kind]

    @budget(25)
    @given(st.sampled_from(texts), st.integers(0, 2**32))
    def check(text, seed):
        DOCUMENTS[kind](mutated(text, Random(seed)))

    check()


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_no_bytes_make_the_reader_of_a_document_fail(kind):
    @budget(15)
    @given(st.binary(max_size=60))
    def check(data):
        DOCUMENTS[kind](data)

    check()


def test_what_is_shipped_is_accepted():
    assert {kind: DOCUMENTS[kind](text) for kind, text in SAMPLES} == dict.fromkeys({k for k, _ in SAMPLES}, ACCEPTED)
    assert [archive(data) for data in samples.archives()] == [ACCEPTED] * 4


@st.composite
def archives(draw):
    """A ZIP whose entries may be called anything, with damage here and there."""
    buffer = io.BytesIO()
    entries = st.tuples(NAMES, st.binary(max_size=40), st.sampled_from((0, 8, 12, 14)), st.integers(0, 0xFFFF))
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content, method, mode in draw(st.lists(entries, max_size=5)):
            info = zipfile.ZipInfo(name or "x")
            info.filename, info.compress_type, info.external_attr = name or "x", method, mode << 16
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("warnings.warn", lambda *_, **__: None)
                file.writestr(info, content)
    data = bytearray(buffer.getvalue())
    for at, value in draw(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=3)):
        data[at % len(data)] = value
    cut = draw(st.sampled_from((0, 0, 0, 1, 22)))
    return draw(st.sampled_from((b"", b"", b"PK\x05\x06", b"x" * 30))) + bytes(data[: len(data) - cut])


@budget(300)
@given(archives())
def test_an_archive_is_read_as_python_reads_it_or_refused(data):
    archive(data)


LINES = st.one_of(
    st.sampled_from([line for text in samples.EVENTS for line in text.splitlines()]),
    st.builds(lambda text, seed: mutated(text, Random(seed)), st.sampled_from(samples.EVENTS), st.integers(0, 2**32)),
    st.binary(max_size=20),
)


@budget(100)
@given(st.lists(LINES, max_size=8), st.sampled_from((b"\n", b"\r\n", b"\n\n", b"\0\n")))
def test_events_are_heard_in_pieces_as_at_once(lines, end):
    events(end.join(lines))


@budget(60)
@given(st.binary(max_size=64))
def test_a_tree_is_collected_as_it_is_or_not_at_all(data):
    collector(data)


@budget(100)
@given(st.binary(max_size=80) | st.lists(LINES, max_size=4).map(b"\n".join))
def test_transcripts_that_are_damaged_are_shown_all_the_same(data):
    transcript.readable(data).encode()
    for side in ("solution", "evaluator"):
        transcript.said_by(side, data)


PARTS = st.text(alphabet="aZ09._-/\\ \n\0é:~", max_size=12) | NAMES


@budget(300)
@given(PARTS)
def test_a_path_that_is_accepted_stays_where_it_is_put(text):
    for kind in (RelPath, RunName, Token, ChallengeName):
        try:
            name = TypeAdapter(kind).validate_python(text, strict=True)
        except ValidationError:
            continue
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set("\\: ~")
        if kind is RelPath:
            assert posixpath.normpath(name) == name
            assert not name.startswith(("/", "../"))
        if kind in (RunName, ChallengeName):
            assert name not in {".", ".."}
        assert kind is RelPath or "/" not in name


@budget(200)
@given(PARTS)
def test_a_name_that_is_shown_or_kept_is_printable_and_below(text):
    if is_safe(text):
        assert text.isprintable()
        assert posixpath.normpath(f"/case/{text}") == f"/case/{text}"
    if bad_name(text) is None:
        assert text.rpartition("/")[2].isprintable()
