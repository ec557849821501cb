"""The loader: as strict as a Rust parser, and telling all it found."""

import json
import math
import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentics.errors import InvalidDocument
from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.manifest import RunManifest, SessionManifest
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.document.json_text import scan as scan_within
from agentics.model.document.parsing import load, parse
from agentics.model.document.size_caps import RECORD
from agentics.model.document.strict_types import compact_json, pretty_json
from agentics.policy.bundle.checks import read_challenge

GOOD = b'{"protocol": "zip_project", "protocol_version": 1, "commands": {"run": "run.sh"}}'


def scan(data):
    return scan_within(data, RECORD)


def codes(data, model=SolutionManifest):
    return [finding.code for finding in load(model, data, "f.json").findings]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "syntax"),
        (b"   ", "syntax"),
        (b"{", "syntax"),
        (GOOD[:-1], "syntax"),
        (GOOD + b"x", "trailing_text"),
        (GOOD + b"{}", "trailing_text"),
        (b"\xef\xbb\xbf" + GOOD, "byte_order_mark"),
        (GOOD.decode().encode("utf-16"), "not_utf8"),
        (GOOD.replace(b"run.sh", b"\xff"), "not_utf8"),
        (GOOD.replace(b"run.sh", b"\xed\xa0\x80"), "not_utf8"),
        (GOOD.replace(b"1", b"NaN"), "not_json"),
        (GOOD.replace(b"1", b"Infinity"), "not_json"),
        (GOOD.replace(b"1", b"-Infinity"), "not_json"),
        (GOOD.replace(b"1", b"01"), "syntax"),
        (GOOD.replace(b"1", b"+1"), "syntax"),
        (GOOD.replace(b"1", b".5"), "syntax"),
        (GOOD.replace(b"1", b"1."), "syntax"),
        (GOOD.replace(b"1", b"0x1"), "syntax"),
        (GOOD.replace(b"1", b"1_0"), "syntax"),
        (GOOD.replace(b"1", "\uff11".encode()), "syntax"),
        (GOOD.replace(b"1", b"True"), "syntax"),
        (GOOD.replace(b"1", b"1,"), "syntax"),
        (GOOD.replace(b"}}", b",}}"), "syntax"),
        (GOOD.replace(b'"run.sh"', b"'run.sh'"), "syntax"),
        (GOOD.replace(b"{", b"{ // why\n", 1), "syntax"),
        (GOOD.replace(b"run.sh", b"run\n.sh"), "syntax"),
        (GOOD.replace(b"run.sh", b"\\x41"), "syntax"),
        (GOOD.replace(b"run.sh", b"\\ud800"), "lone_surrogate"),
        (GOOD.replace(b"run.sh", b"\\udc00\\ud800"), "lone_surrogate"),
        (GOOD.replace(b" 1", b"\xc2\xa01"), "syntax"),
        (GOOD.replace(b'"protocol":', b'"protocol": "zip_project", "protocol":'), "duplicate_key"),
        (GOOD.replace(b"1", b"1.0"), "wrong_type"),
        (GOOD.replace(b"1", b"1e0"), "wrong_type"),
        (GOOD.replace(b"1", b'"1"'), "wrong_type"),
        (GOOD.replace(b"1", b"true"), "wrong_type"),
        (GOOD.replace(b"1", b"null"), "wrong_type"),
        (GOOD.replace(b"1", b"-1"), "out_of_range"),
        (GOOD.replace(b"1", b"1e999"), "number_out_of_range"),
        (GOOD.replace(b"1", b"9" * 400), "number_out_of_range"),
        (b"[]", "wrong_type"),
        (b'"x"', "wrong_type"),
        (b"null", "wrong_type"),
    ],
)
def test_bad_json_is_refused_with_one_code(data, code):
    assert codes(data) == [code]


@pytest.mark.parametrize("data", [GOOD, b" \r\n\t" + GOOD + b"\n\n", GOOD.replace(b"run.sh", b"r\\u0075n.sh")])
def test_good_json_is_accepted(data):
    assert parse(SolutionManifest, data, "f.json").commands.run == "run.sh"


def test_every_finding_is_reported_with_its_place():
    data = (
        b'{\n "protocol": "zip",\n "protocol_version": 1.0,\n "nte": "",\n "commands": {"run": "/x", "run": "../y"}\n}'
    )
    found = load(SolutionManifest, data, "s.json").findings
    assert [(f.code, f.line, f.column, f.pointer, f.file) for f in found] == [
        ("unknown_value", 2, 14, "/protocol", "s.json"),
        ("wrong_type", 3, 22, "/protocol_version", "s.json"),
        ("unknown_key", 4, 2, "/nte", "s.json"),
        ("duplicate_key", 5, 28, "/commands/run", "s.json"),
        ("bad_path", 5, 35, "/commands/run", "s.json"),
    ]
    assert found[2].hint == "did you mean 'note'?"
    assert "zip_project" in found[0].message


def test_a_missing_key_is_reported_with_its_pointer_and_the_place_of_its_object():
    (found,) = load(SolutionManifest, b'{"protocol":"zip_project","protocol_version":1,\n"commands":{}}', "f").findings
    assert (found.code, found.pointer, found.line, found.column) == ("missing_key", "/commands/run", 2, 12)


def test_a_missing_nullable_key_is_told_that_null_is_the_way(spec, changed, gone, encoded):
    (found,) = load(Challenge, encoded(changed(spec, "/closes_at", gone)), "f").findings
    assert found.hint == 'write "closes_at": null if there is none'


def test_columns_count_characters_and_pointers_escape():
    data = '{"é😀":1,"a/b~c":2,"protocol":"zip_project","protocol_version":1,"commands":{"run":"r"}}'.encode()
    found = load(SolutionManifest, data, "f").findings
    assert [(f.pointer, f.column) for f in found] == [("/é😀", 2), ("/a~1b~0c", 9)]


def test_parse_raises_all_findings():
    with pytest.raises(InvalidDocument) as caught:
        parse(SolutionManifest, b"{}", "f.json")
    assert {f.pointer for f in caught.value.findings} == {"/protocol", "/protocol_version", "/commands"}
    assert "and 2 more" in str(caught.value)


def test_in_free_values_the_last_duplicate_wins():
    data = (
        b'{"runs":[{"run_name":"a","interface":"stdio","stdin_json":{"k":1,"k":2},"stdin_text":null,'
        b'"input_files":[{"path":"p","content_json":[{"x":1,"x":{"y":1,"y":3}}]}],"output_files":null,'
        b'"metadata":{"m":1,"m":[{"z":1,"z":2}]}}]}'
    )
    run = parse(RunManifest, data, "f").runs[0]
    assert run.stdin_json == {"k": 2}
    assert run.input_files[0].content_json == [{"x": {"y": 3}}]
    assert run.metadata == {"m": [{"z": 2}]}


def test_a_typed_duplicate_is_found_behind_any_number_of_free_ones():
    free = b",".join([b'"k":1'] * 500)
    data = b'{"metadata":{' + free + b'},"input_files":null,"session_name":"a","session_name":"b"}'
    assert codes(data, SessionManifest) == ["duplicate_key"]


@pytest.mark.parametrize(
    "place",
    [
        '{"runs":[],"runs":[%s]}',
        '{"runs":[%s]}',
    ],
)
def test_in_typed_objects_any_duplicate_is_an_error(place):
    run = (
        '{"run_name":"a","run_name":"a","interface":"stdio","stdin_json":null,"stdin_text":null,'
        '"input_files":null,"output_files":null,"metadata":null,"metadata":null}'
    )
    found = codes((place % run).encode(), RunManifest)
    assert found == ["duplicate_key"] * (place.count("runs") + 1)


def test_order_is_preserved():
    data = b'{"session_name":"s","input_files":null,"metadata":{"z":1,"a":2,"m":3}}'
    assert list(scan(data).value["metadata"]) == ["z", "a", "m"]


def nested(depth):
    return b'{"protocol":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_127_levels_are_read_and_128_are_not():
    assert "too_deep" not in codes(nested(127))
    assert codes(nested(128)) == ["too_deep"]
    assert codes(nested(200)) == ["too_deep"]
    assert codes(nested(60_000)) == ["too_deep"]
    assert codes(b"[" * 130_000) == ["too_deep"]
    assert codes(b'{"a":' * 26_000) == ["too_deep"]


@pytest.mark.parametrize("inside", [b"1 2", b'{"a" 1}', b"{1:2}", b"[1,]", b"nul", b'"x', b"01", b"[}", b"["])
def test_what_is_too_deep_must_be_json_all_the_same(inside):
    assert scan(b"[" * 200 + b"1" + b"]" * 200).complete
    assert not scan(b"[" * 200 + inside + b"]" * 200).complete


@pytest.mark.parametrize(
    "data",
    [
        b"9" * 2_000_000,
        b"-" + b"9" * 2_000_000 + b".5",
        b"1e" + b"9" * 2_000_000,
        b'"' + b"\\ud800" * 200_000 + b'"',
        b"[" + b"NaN," * 100_000 + b"NaN]",
        b"{" + b'"a":1,' * 200_000 + b'"a":1}',
        b"[" + b"[]," * 200_000 + b"[]]",
        b'"' + b"\\" * 1_000_001,
    ],
    ids=["digits", "fraction", "exponent", "surrogates", "nan", "duplicates", "width", "backslashes"],
)
def test_hostile_text_ends_in_few_findings(data):
    found = load(SolutionManifest, data, "f").findings
    assert 0 < len(found) <= 500


def test_a_million_mistakes_are_summed_up():
    runs = b",".join([b'{"path":1}'] * 300)
    data = b'{"session_name":"s","metadata":null,"input_files":[' + runs + b"]}"
    found = codes(data.replace(b'"session_name"', b'"run_name"'), RunManifest)
    assert "missing_key" in found
    found = codes(data, SessionManifest)
    assert "too_many_findings" in found
    assert len(found) <= 201


def test_rules_speak_also_when_another_part_is_broken(spec, changed, encoded):
    broken = changed(changed(spec, "/solution_publication", "everybody"), "/datasets/colour", "red")
    broken = changed(broken, "/metric_schema/ranking/primary_metric_name", "nothing")
    broken = changed(broken, "/execution/separated_evaluator/command", ["python3", "elsewhere/e.py"])
    found = {f.code for f in read_challenge(encoded(broken)).findings}
    assert found == {"unknown_value", "unknown_key", "undeclared_metric", "script_misplaced"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def same(a, b):
    """Equal, and of the same type: 1, 1.0 and True are not the same."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(json_values, st.booleans())
def test_what_json_writes_is_read_back(value, ascii_only):
    read = scan(json.dumps(value, ensure_ascii=ascii_only).encode())
    assert read.complete
    assert read.problems == ()
    assert same(read.value, value)


@given(json_values)
def test_compact_json_is_the_same_value(value):
    assert same(json.loads(compact_json(value)), value)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_loader_fail(data):
    load(SolutionManifest, data, "f")


def whole(literal):
    value = int(literal)
    return value if -(2**63) <= value < 2**64 and literal != "-0" else float(literal)


@given(st.text(alphabet='{}[]",:\\/0123456789.eE+-truefalsn \n\ud7ff', max_size=40))
def test_what_the_scanner_takes_the_standard_library_takes(text):
    read = scan(text.encode())
    try:
        expected = json.loads(text, parse_int=whole)
    except ValueError:
        assert not read.complete or read.problems
        return
    assert read.complete
    if not read.problems:
        assert same(read.value, expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"b":1,"a":[true,null]}'),
        ("é😀\n\x7f/", '"é😀\\n\x7f/"'),
        ("\0\x1f", '"\\u0000\\u001f"'),
        ("1e-07 e+05", '"1e-07 e+05"'),
        (['"1e-07', 1e-7], '["\\"1e-07",1e-7]'),
        ({"1e-07": 1e-7}, '{"1e-07":1e-7}'),
    ],
)
def test_compact_json_has_the_exact_bytes(value, text):
    assert compact_json(value) == text


@pytest.mark.parametrize(
    ("literal", "written"),
    [
        ("0", "0"),
        ("-0", "-0.0"),
        ("-0.0", "-0.0"),
        ("0e10", "0.0"),
        ("100", "100"),
        ("1e2", "100.0"),
        ("-2.0", "-2.0"),
        ("0.1", "0.1"),
        ("4.35", "4.35"),
        ("1e-5", "0.00001"),
        ("-1.25e-5", "-0.0000125"),
        ("9.999999e-6", "9.999999e-6"),
        ("1e-6", "1e-6"),
        ("1.5E-07", "1.5e-7"),
        ("1e-10", "1e-10"),
        ("1e-400", "0.0"),
        ("1e15", "1000000000000000.0"),
        ("1234567890123456.7", "1234567890123456.8"),
        ("9999999999999998.0", "9999999999999998.0"),
        ("1e16", "1e+16"),
        ("123456789012345680.0", "1.2345678901234568e+17"),
        ("1e300", "1e+300"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-9223372036854775809", "-9.223372036854776e+18"),
        ("1" + "0" * 56, "1e+56"),
    ],
)
def test_a_number_is_written_as_the_reference_writes_it(literal, written):
    read = scan(f'{{"k":[{literal}]}}'.encode())
    assert read.problems == ()
    assert compact_json(read.value) == f'{{"k":[{written}]}}'
    assert pretty_json(read.value) == f'{{\n  "k": [\n    {written}\n  ]\n}}'


@pytest.mark.parametrize("literal", ["1E400", "-1e400", "9" * 310])
def test_a_number_beyond_a_double_is_an_error(literal):
    assert [p.code for p in scan(literal.encode()).problems] == ["number_out_of_range"]


SHAPE = re.compile(r"-?(?:(?P<whole>\d+)\.\d+|\d(?:\.\d*[1-9])?e(?P<exponent>[+-][1-9]\d*))")


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(9.999999999999999e15)
@example(1e-5)
@example(-0.0)
def test_every_double_comes_back_and_has_the_shape_of_the_reference(value):
    text = compact_json(value)
    read = scan(text.encode()).value
    assert (read, math.copysign(1, read)) == (value, math.copysign(1, value))
    assert isinstance(read, float)
    shape = SHAPE.fullmatch(text)
    exponent = math.floor(Decimal(value).copy_abs().log10()) if value else 0
    assert (shape["exponent"] is None) == (-5 <= exponent <= 15)
    digits = re.sub(r"e.*|[-.]", "", text).strip("0")
    assert len(digits) <= 17
    assert digits == re.sub(r"e.*|[-.]", "", repr(value)).strip("0")


def test_empty_lists_and_objects_are_pretty_without_a_line_of_their_own():
    assert pretty_json({"a": {}, "b": [], "c": [{}]}) == '{\n  "a": {},\n  "b": [],\n  "c": [\n    {}\n  ]\n}'


def test_a_message_holds_nothing_that_a_terminal_would_obey():
    data = GOOD.replace(b'"protocol":', b'"\\u001b[2J\\n": 1, "protocol":')
    with pytest.raises(InvalidDocument) as caught:
        parse(SolutionManifest, data, "f.json")
    assert str(caught.value).isprintable()


def test_absurd_keys_make_no_absurd_findings():
    data = b'{"' + b"k" * 1_000_000 + b'": [' + b"NaN," * 500 + b"1]}"
    assert sum(len(f.pointer) + len(f.message) for f in load(SolutionManifest, data, "f").findings) < 200_000


def test_long_texts_are_written_compactly():
    text = '\\"1e-07' * 300_000
    assert compact_json([text, 1e-7]) == json.dumps([text], separators=(",", ":"))[:-1] + ",1e-7]"
