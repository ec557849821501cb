"""Common slips, and what they look like: one table. A hint is a guess for people, and decides nothing.

What a solution wrote is its own choice, so a hint may be wrong, or forged. That is why texts say "looks like".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentics.model.evidence.explanation import Hint
from agentics.model.evidence.trial_evidence import Script, Speaker

Activity = Literal["setup", "build", "run", "session", "shared"]
"""Where a solution was at work; `shared`: in the evaluator's own container."""

MOST = 3
"""So many hints for one case at most, the first of the table first."""
_SEEN = 160
_TEXT = 8192
_START_S, _IDLE_SHARE = 0.15, 0.02
"""Processor time up to a start and this share of the wall time: a program that timed out waited, and did not compute. A
busy machine gives a program less than its share, so the bound is low."""


@dataclass(frozen=True, kw_only=True)
class Symptoms:
    """What is seen of one container of the solution. `text`: the end of what it wrote to stderr, or of its log.
    `script`: the one that was run. `wrote`: whether anything is on stdout; `left_files`: whether a file is in
    /io/output; `wants_files`: whether the case's interface is file_system. Of a session that timed out, `last_word` is
    who said the last thing, and `open_line` whether the solution's last line was not ended."""

    phase: Activity
    ended: str
    exit_code: int
    clean: bool
    text: str = ""
    wall_s: float = 0.0
    cpu_s: float | None = None
    memory_limit_mib: int = 0
    script: Script | None = None
    wrote: bool = True
    left_files: bool = True
    wants_files: bool = False
    last_word: Speaker | None = None
    open_line: bool = False

    def with_more(self, **more: Any) -> Symptoms:  # noqa: ANN401 - fields of it
        """The same symptoms with more fields."""
        return replace(self, **more)

    @property
    def is_idle(self) -> bool:
        return self.cpu_s is not None and self.cpu_s <= _START_S + _IDLE_SHARE * self.wall_s


@dataclass(frozen=True, kw_only=True)
class Slip:
    """One line of the table. It fits where everything that it names fits: `ended`, `exit_codes`, `phases`, `when` and,
    where it names `says` or `script`, one of these two. `says` is looked for in what the program wrote, line by line;
    `script` in the first characters of a script that ended badly. It `hides` slips that only follow from it.
    `looks_like` is for the documentation."""

    code: str
    looks_like: str
    text: str
    says: re.Pattern[str] | None = None
    script: re.Pattern[str] | None = None
    ended: frozenset[str] = field(default=frozenset())
    exit_codes: frozenset[int] = field(default=frozenset())
    phases: frozenset[Activity] = field(default=frozenset())
    when: Literal["idle", "silent", "silent_files", "waited_for", "open_line"] | None = None
    hides: frozenset[str] = field(default=frozenset())


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


SLIPS: tuple[Slip, ...] = (
    Slip(
        code="crlf",
        looks_like="a script with Windows line ends (CRLF)",
        text="this looks like Windows line ends (CRLF): save {script} and the files that it names with LF line ends, "
        "for example with `sed -i 's/\\r$//' FILE`",
        says=_words(r"\\r['\"]?: (command )?not found", r"\r['\"]?: ", r"\\r['\"]", r"\^M: bad interpreter"),
        script=re.compile(r"\r\n"),
        hides=frozenset({"missing_file", "missing_command", "python_as_script", "shebang_ignored"}),
    ),
    Slip(
        code="python_as_script",
        looks_like="a Python file where a shell script is expected",
        text="{script} looks like a Python file, and scripts are run by `sh`: put the Python file beside it, and "
        "`exec python3 FILE.py` into the script",
        says=_words(r"\b(import|from|def|class): (command )?not found", r"syntax error near unexpected token [`'\"]\("),
        script=re.compile(r"\A(?:#!.*python|(?:#[^\n]*\n|[ \t]*\n)*(?:import |from \w+ import |def |class |print\())"),
        hides=frozenset({"missing_command", "shebang_ignored"}),
    ),
    Slip(
        code="shebang_ignored",
        looks_like="a script in another language, with a `#!` line",
        text="{script} looks like a script for another interpreter: scripts are run by `sh`, and a `#!` line does not "
        "count. Call the interpreter from a shell script",
        script=re.compile(r"\A#!(?!.*\b(?:ba|da|a|k|z)?sh\b)"),
    ),
    Slip(
        code="cannot_start",
        looks_like="a command of the evaluator's that could not be started as the solution",
        text="this looks like a command that could not be started as the solution: the file is missing, cannot be "
        "executed, or its interpreter is not in the image",
        says=re.compile(r"^agentics: cannot run .* as the solution: "),
        hides=frozenset({"missing_file", "missing_command", "not_executable", "wrong_binary"}),
        phases=frozenset({"shared"}),
    ),
    Slip(
        code="no_network",
        looks_like="use of the network, for example `pip install`",
        text="this looks like use of the network, and there is none unless the challenge gives it to this phase: put "
        "what is needed into the solution itself",
        hides=frozenset({"missing_command", "missing_module"}),
        says=_words(
            r"\bpip3?: (command )?not found",
            r"No module named '?pip\b",
            r"temporary failure in name resolution",
            r"failed to establish a new connection",
            r"could ?n.t resolve host|could not resolve host",
            r"name or service not known",
            r"network is unreachable",
            r"no matching distribution found",
            r"\bEAI_AGAIN\b",
            r"getaddrinfo",
            r"unable to access 'https?:",
        ),
    ),
    Slip(
        code="needs_root",
        looks_like="use of root's rights: apt-get, sudo",
        text="this looks like an installation that needs root: programs cannot be installed. Only what the image has "
        "and what the solution brings along is there",
        hides=frozenset({"missing_command"}),
        says=_words(r"are you root\?", r"sudo: (command )?not found", r"must be run as root", r"dpkg frontend lock"),
    ),
    Slip(
        code="read_only_place",
        looks_like="a file written to /workspace, or to another place that is read-only while cases run",
        text="this looks like a file that is written where nothing can be written: when a case runs, only /io/output "
        "(AGENTICS_OUTPUT_DIR) for results, and /io/tmp and /tmp for everything else can be written",
        hides=frozenset({"missing_file"}),
        says=_words(
            r"read-only file system",
            r"permission denied: '(?:/workspace|[^/'])",
            r"cannot create .*: permission denied",
        ),
        phases=frozenset({"run", "session", "shared"}),
    ),
    Slip(
        code="not_executable",
        looks_like="a program of the solution that is called directly, and is not executable",
        text="this looks like a file that cannot be executed: a solution's files lose their execute bit. Call it by "
        "its interpreter, or `chmod +x` it in the build script",
        says=_words(r"permission denied$"),
        exit_codes=frozenset({126}),
    ),
    Slip(
        code="wrong_binary",
        looks_like="a program that was built for another machine or another system",
        text="this looks like a program that was built for another machine: compile it in the build script",
        says=_words(
            r"exec format error",
            r"cannot execute binary file",
            r"version `GLIBC",
            r"error while loading shared libraries",
        ),
        hides=frozenset({"not_executable"}),
    ),
    Slip(
        code="missing_module",
        looks_like="a Python module that the image does not have",
        text="this looks like a Python module that the image does not have: put it into the solution, and use the "
        "standard library where you can",
        says=_words(r"ModuleNotFoundError: ", r"ImportError: No module"),
    ),
    Slip(
        code="missing_command",
        looks_like="a program that the image does not have",
        text="this looks like a program that the image does not have, or that build left outside of /workspace",
        says=_words(r"command not found$"),
        hides=frozenset({"missing_file"}),
    ),
    Slip(
        code="missing_command",
        looks_like="a program that the image does not have",
        text="this looks like a program that the image does not have, or that build left outside of /workspace",
        says=_words(r": not found$", r"No such file or directory$"),
        exit_codes=frozenset({127}),
        hides=frozenset({"missing_file"}),
    ),
    Slip(
        code="missing_file",
        looks_like="a file that is not there",
        text="this looks like a file that is not there. /workspace has what was packed, without hidden files and "
        "folders such as build and dist, and what setup and build left. A case's input is on standard input, or in "
        "/io/input (AGENTICS_INPUT_DIR)",
        says=_words(r"no such file or directory", r"can't open file", r"FileNotFoundError", r"cannot open .*: no such"),
    ),
    Slip(
        code="memory",
        looks_like="a memory limit",
        text="this looks like too little memory: the limit is {memory} MiB, or less where the program or its evaluator "
        "set one. Hold less in memory at a time",
        says=_words(
            r"\bMemoryError\b", r"std::bad_alloc", r"OutOfMemoryError", r"out of memory", r"cannot allocate memory"
        ),
    ),
    Slip(
        code="memory",
        looks_like="a memory limit",
        text="the program was killed when it reached the memory limit of {memory} MiB: hold less in memory at a time",
        ended=frozenset({"out_of_memory"}),
    ),
    Slip(
        code="input_ended",
        looks_like="a program that reads more than its input has",
        text="this looks like a program that reads more than it is given: the input may be in another form than "
        "expected, or in /io/input (AGENTICS_INPUT_DIR) instead of on standard input",
        says=_words(r"EOFError", r"EOF when reading", r"NoSuchElementException", r"unexpected end of json input"),
        phases=frozenset({"run"}),
    ),
    Slip(
        code="recursion",
        looks_like="recursion that goes too deep",
        text="this looks like recursion that goes too deep: write it as a loop, or raise the interpreter's limit",
        says=_words(r"RecursionError", r"StackOverflowError", r"maximum call stack size", r"stack overflow"),
    ),
    Slip(
        code="too_many_processes",
        looks_like="more than 256 processes and threads",
        text="this looks like too many processes or threads: all of them together are at most 256",
        hides=frozenset({"waited"}),
        says=_words(r"resource temporarily unavailable", r"can't start new thread", r"cannot fork", r"\bEAGAIN\b"),
    ),
    Slip(
        code="disk_limit",
        looks_like="a disk limit",
        text="this looks like the disk limit: what a case writes to /io is bounded, and /tmp counts as memory",
        says=_words(r"no space left on device", r"file too large", r"disk quota exceeded"),
    ),
    Slip(
        code="disk_limit",
        looks_like="a disk limit",
        text="this looks like the disk limit: what a case writes to /io is bounded, and /tmp counts as memory",
        exit_codes=frozenset({153}),
    ),
    Slip(
        code="crash_signal",
        looks_like="a program that the system stopped",
        text="exit code {exit_code} looks like a program that the system stopped: an access to memory that is not its "
        "own, an assertion, or a division by zero",
        exit_codes=frozenset({132, 134, 135, 136, 139}),
    ),
    Slip(
        code="no_line_end",
        looks_like="a line in a session that was not ended",
        text="this looks like an answer without a line end: the evaluator waits for the rest of the line. End every "
        "line, and flush it",
        when="open_line",
        hides=frozenset({"not_flushed"}),
    ),
    Slip(
        code="not_flushed",
        looks_like="an answer in a session that was not flushed",
        text="this looks like an answer that was not flushed: nothing came after what the evaluator said last. Flush "
        "the output after every line, for example `print(..., flush=True)` or `std::endl`",
        when="waited_for",
    ),
    Slip(
        code="waited",
        looks_like="a program that waits until its time is over",
        text="this looks like a program that waited and did not compute: it used {cpu} s of the processor. It may read "
        "input that does not come, or sleep",
        ended=frozenset({"timed_out"}),
        phases=frozenset({"setup", "build", "run"}),
        when="idle",
    ),
    Slip(
        code="no_output",
        looks_like="a case in which nothing was written",
        text="the program ended with exit code 0 and wrote nothing, neither to standard output nor to /io/output",
        phases=frozenset({"run"}),
        when="silent",
    ),
    Slip(
        code="no_output_file",
        looks_like="a result on standard output where a file is expected",
        text="the interface of this case is file_system, and no file was left: results are files in /io/output "
        "(AGENTICS_OUTPUT_DIR)",
        phases=frozenset({"run"}),
        when="silent_files",
    ),
)
"""In the order in which they are looked for: what is more particular comes first."""


def hints(symptoms: Symptoms) -> tuple[Hint, ...]:
    """What the symptoms look like; at most `MOST`, none twice."""
    found: dict[str, Hint] = {}
    hidden: set[str] = set()
    for slip in SLIPS:
        if slip.code not in hidden | found.keys() and (line := _seen(slip, symptoms)) is not None:
            found[slip.code] = Hint(code=slip.code, text=_text(slip, symptoms), seen=line or None)
            hidden |= slip.hides
    return tuple(found.values())[:MOST]


def gathered(each: Iterable[tuple[str | None, Iterable[Hint]]]) -> Iterator[Hint]:
    """Hints of several cases, each code once, with the names of the cases in which it was seen. A name that is None is
    no case's."""
    found: dict[str, list[str]] = {}
    first: dict[str, Hint] = {}
    for name, own in each:
        for hint in own:
            first.setdefault(hint.code, hint)
            found.setdefault(hint.code, []).extend([name] if name is not None else [])
    for code, hint in first.items():
        yield hint.model_copy(update={"cases": tuple(found[code])})


def _seen(slip: Slip, symptoms: Symptoms) -> str | None:
    """The line in which it was seen, an empty text where there is no line, None where it does not fit."""
    if slip.ended and symptoms.ended not in slip.ended:
        return None
    if slip.exit_codes and symptoms.exit_code not in slip.exit_codes:
        return None
    if slip.phases and symptoms.phase not in slip.phases:
        return None
    if slip.when is not None and not _is(slip.when, symptoms):
        return None
    if slip.says is None and slip.script is None:
        return ""
    if slip.says is not None and (line := _line(slip.says, symptoms.text)) is not None:
        return line
    script = symptoms.script if not symptoms.clean else None
    if slip.script is not None and script is not None and slip.script.search(script.head):
        return f"{script.path}: {script.head.lstrip().partition(chr(10))[0][:_SEEN]}"
    return None


def _is(when: str, symptoms: Symptoms) -> bool:
    match when:
        case "idle":
            return symptoms.is_idle
        case "silent":
            return symptoms.clean and not symptoms.wrote and not symptoms.left_files and not symptoms.wants_files
        case "silent_files":
            return symptoms.clean and not symptoms.left_files and symptoms.wants_files
        case "open_line":
            return symptoms.open_line and symptoms.is_idle
        case _:
            return symptoms.last_word == "evaluator" and symptoms.is_idle


def _line(pattern: re.Pattern[str], text: str) -> str | None:
    """The last line that fits."""
    lines = (line.rstrip() for line in reversed(text[-_TEXT:].split("\n")))
    return next((line.strip()[:_SEEN] for line in lines if pattern.search(line[:2000])), None)


def _text(slip: Slip, symptoms: Symptoms) -> str:
    script = symptoms.script.path if symptoms.script is not None else "the script"
    cpu = f"{symptoms.cpu_s:.1f}" if symptoms.cpu_s is not None else "little"
    return slip.text.format(script=script, memory=symptoms.memory_limit_mib, cpu=cpu, exit_code=symptoms.exit_code)
