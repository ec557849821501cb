"""What is laid out for containers is, byte for byte, what the reference platform lays out."""

import json

from tests.fake_engine import conversation, exited, mounted

DATA = b'{"z":-0,"a":[1e-5,1e-6,1e15,1e16,18446744073709551616,{}],"text":"\\u00e9\\u2028/\\u007f"}'
COMPACT = '{"z":-0.0,"a":[0.00001,1e-6,1000000000000000.0,1e+16,1.8446744073709552e+19,{}],"text":"é\u2028/\x7f"}'
INPUTS = (
    b'[{"content_json":' + DATA + b',"content":null,"path":"a.json"},'
    b'{"path":"b","source_path":"public/b.bin"},{"path":"deep/c","source_path":null,"content":""}]'
)
PRETTY_INPUTS = """[
  {
    "path": "a.json",
    "content_json": {
      "z": -0.0,
      "a": [
        0.00001,
        1e-6,
        1000000000000000.0,
        1e+16,
        1.8446744073709552e+19,
        {}
      ],
      "text": "é\u2028/\x7f"
    }
  },
  {
    "path": "b",
    "source_path": "public/b.bin"
  },
  {
    "path": "deep/c",
    "content": ""
  }
]"""
PRETTY_RUNS = """{
  "runs": [
    {
      "run_name": "one",
      "interface": "file_system",
      "stdin_json": null,
      "stdin_text": null,
      "input_files": @,
      "output_files": [
        "out.txt"
      ],
      "metadata": {
        "seed": 0.00001,
        "none": []
      },
      "seed": 0.00001,
      "none": []
    }
  ]
}"""
PRETTY_SESSION = """{
  "session_name": "main",
  "input_files": @,
  "metadata": {
    "cases": [
      0.00001
    ]
  }
}"""


def with_inputs(document, levels):
    """The document with the input files in the place of @, indented by so many levels."""
    return document.replace("@", PRETTY_INPUTS.replace("\n", "\n" + "  " * levels)).encode()


def read_all(container, target):
    root = mounted(container, target)
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_run_gets_its_stdin_and_inputs_and_the_evaluator_its_manifest_to_the_byte(lab):
    root, seen = lab.bundle(cases=1), {}
    rest = b'"output_files":["out.txt"],"metadata":{"seed":1e-5,"none":[]}'
    run = b'{"runs":[{"run_name":"one","interface":"file_system","stdin_json":null,"stdin_text":null,"input_files":'
    (root / "public" / "runs.json").write_bytes(run + INPUTS + b"," + rest + b"}]}")
    (root / "public" / "b.bin").write_bytes(b"\0\xff")

    def case(container):
        seen["case"] = read_all(container, "/io/input")
        return exited()

    def evaluate(container):
        seen["evaluator"] = read_all(container, "/solution-runs")
        return judge(container)

    judge = lab.engine.behaviours["separated-evaluator"]
    lab.engine.behaviours |= {"run": case, "separated-evaluator": evaluate}
    assert lab.eval("one").status == 0
    assert seen["case"] == {"a.json": COMPACT.encode(), "b": b"\0\xff", "deep/c": b""}
    assert seen["evaluator"]["agentics-runs.json"] == with_inputs(PRETTY_RUNS, 3)
    assert {p: d for p, d in seen["evaluator"].items() if p.startswith("one/input/")} == {
        f"one/input/{path}": data for path, data in seen["case"].items()
    }


def test_stdin_json_is_compact_and_ends_without_a_line_feed(lab):
    root, seen = lab.bundle(cases=1), {}
    manifest = json.loads((root / "public" / "runs.json").read_bytes())
    text = json.dumps(manifest).replace('"stdin_text": "1\\n"', '"stdin_text": null')
    (root / "public" / "runs.json").write_text(text.replace('"stdin_json": null', f'"stdin_json": {DATA.decode()}'))

    def case(container):
        seen["stdin"] = mounted(container, "/io").joinpath("stdin.txt").read_bytes()
        return exited()

    lab.engine.behaviours["run"] = case
    assert lab.eval("one").status == 0
    assert seen["stdin"] == COMPACT.encode()


def test_a_session_is_written_to_the_byte(lab):
    evaluator = {"command": ["sh", "judge"], "result_file": "result.json"}
    sources = dict.fromkeys(("validation_setup", "official_session", "official_evaluation_setup"))
    execution = {"mode": "piped_stdio", "interactive_evaluator": evaluator, "validation_session": "public/s.json"}
    root = lab.bundle(execution={**execution, "acknowledge_stdio_protocol_framing": True, **sources})
    session = b'{"metadata":{"cases":[1e-5]},"input_files":' + INPUTS + b',"session_name":"main"}'
    (root / "public" / "s.json").write_bytes(session)
    (root / "public" / "b.bin").write_bytes(b"\0\xff")
    seen = {}

    def converse(_, evaluator, __):
        seen.update(read_all(evaluator, "/session"))
        result = {"status": "passed", "validation_summary": {"score": 1, "passed": 1, "total": 1}}
        mounted(evaluator, "/output").joinpath("result.json").write_text(json.dumps(result))
        return conversation()

    lab.engine.converse = converse
    assert lab.eval("one").status == 0
    assert seen.pop("session.json") == with_inputs(PRETTY_SESSION, 1)
    assert seen == {"input/a.json": COMPACT.encode(), "input/b": b"\0\xff", "input/deep/c": b""}
