"""gVisor, where the engine has it: `runsc`, or what AGENTICS_TEST_RUNTIME names."""

from __future__ import annotations

import os

import pytest

from agentics.errors import EngineError
from tests.conftest import BUNDLES

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def gvisor(engine, cpu_image):
    name = os.environ.get("AGENTICS_TEST_RUNTIME", "runsc")
    if name not in engine.facts().runtimes:
        pytest.skip(f"this engine has no runtime {name}")
    try:
        engine.probe(cpu_image, name)
    except EngineError as error:
        if error.code != "limits_not_kept":
            raise
        pytest.skip(f"the engine starts {name} without control groups")
    return name


@pytest.fixture
def config(config, gvisor):
    return config.model_copy(update={"sandbox": config.sandbox.model_copy(update={"runtime": gvisor})})


def test_gvisor_answers_with_a_kernel_of_its_own_and_ends_as_runc_does(engine, container, gvisor):
    ended = engine.start(container("echo said; uname -r; exit 3", runtime=gvisor)).wait()
    assert (ended.exit_code, ended.runtime, ended.kernel) == (3, gvisor, "own")
    said, kernel = ended.log.split()
    assert said == b"said"
    assert kernel.decode() != engine.facts().kernel


def test_a_program_under_gvisor_may_wait_with_select(run, gvisor):
    """Both system calls: gVisor has a name of its own for pselect6, which libc uses, and enforces our list by names."""
    assert run("python3", "-c", "import select; print(select.select([], [], [], 0))", runtime=gvisor).exit_code == 0


def test_gvisor_enforces_our_list_of_system_calls_where_it_was_set_up_so(engine, cpu_image, run, gvisor):
    new_user = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)"
    allowed = run("python3", "-c", new_user, runtime=gvisor).exit_code == 0
    assert allowed is not engine.probe(cpu_image, gvisor).seccomp


def test_gvisor_containers_converse(engine, linked, gvisor):
    more = {name: {"runtime": gvisor} for name in ("solution_limits", "evaluator_limits")}
    found = linked(engine, "read x; echo $x-answered", "echo asked; read y; test $y = asked-answered", **more)
    assert (found.solution.exit_code, found.evaluator.exit_code) == (0, 0)
    assert {found.solution.kernel, found.evaluator.kernel} == {"own"}


def test_a_gvisor_container_runs_no_solution_beside_an_evaluator_whose_pipes_it_could_open(evaluation):
    bundle = BUNDLES / "window-medians"
    ended = evaluation(bundle, bundle / "solutions/accepted-fast")
    (task,) = ended.outcomes[0].tasks.values()
    assert (task.status, task.reason, task.fault) == ("error", "users_not_apart", "infrastructure")


def test_memory_ends_a_gvisor_container_as_out_of_memory(engine, python, gvisor):
    ended = engine.start(
        python("x = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1", runtime=gvisor)
    ).wait()
    assert ended.ended == "out_of_memory"


def test_processes_without_end_are_refused_in_a_gvisor_container_and_do_not_end_it(engine, python, gvisor):
    """Each costs the host several tasks; where the host's count ended first, the container ended with them."""
    forks = "import os, signal\nmade = 0\ntry:\n while True:\n  if os.fork() == 0: signal.pause()\n  made += 1\n"
    ended = engine.start(python(f"{forks}except OSError: print(made)", runtime=gvisor, memory_bytes=1 << 30)).wait()
    assert (ended.exit_code, ended.log) == (0, b"254\n")  # and two more, the engine's init and the first of them
