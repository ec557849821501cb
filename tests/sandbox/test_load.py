"""Whose work keeps this machine busy: read from a /proc that a test writes, process by process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentics.policy.verdict.machine_load import LoadLimits
from agentics.sandbox import load
from tests.sandbox.machine import CORES, HZ, Machine

OURS = "a" * 64
OTHERS = "b" * 64
LIMITS = LoadLimits(doubtful_share=0.2)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "PROC", tmp_path / "proc")
    return Machine(tmp_path / "proc")


def measured(machine, change, ours=frozenset({OURS}), limits=LIMITS):
    """The load over ten seconds, in which the machine changes like this."""
    before = machine.read()
    machine.seconds += 10
    change(machine)
    return load.between(before, machine.read(), ours, limits)


def busy(share):
    """Seconds of processor time that are so much of the machine in ten seconds."""
    return share * 10 * CORES


def test_another_program_that_takes_half_of_the_processor_makes_a_result_doubtful(machine):
    machine.process(50, 100.0)

    def change(proc):
        proc.process(50, 100.0 + busy(0.5))
        proc.pressure_s += 9

    found = measured(machine, change)
    assert (found.observed_s, found.foreign_share, found.some_pressure_share) == (10, 0.5, 0.9)
    assert (found.steal_share, found.run_queue_per_cpu) == (0, round(0.5 / CORES, 3))
    assert found.doubtful
    assert found.why == "other programs took 50% of the processor time; something waited for a core 90% of the time"


def test_what_we_do_ourselves_never_does_however_busy_it_makes_the_machine(machine):
    machine.process(os.getpid(), 1.0, name="agentics")
    machine.process(60, 0.0, parent=os.getpid(), name="adapter")
    machine.process(70, 0.0, name="dockerd")
    machine.process(80, 0.0, parent=2, name="kworker/0:1", kernel=True)
    machine.process(90, 0.0, name="evaluate", container=OURS)

    def change(proc):
        proc.process(os.getpid(), 1.0 + busy(0.3), busy(0.3), name="agentics")
        proc.process(60, busy(0.3), parent=os.getpid(), name="adapter")
        proc.process(61, busy(0.3), parent=60, name="grandchild")
        proc.process(70, busy(0.3), busy(0.3), name="dockerd")
        proc.process(71, busy(0.3), busy(0.3), name="containerd-shim")
        proc.process(80, busy(0.3), parent=2, name="kworker/0:1", kernel=True)
        proc.process(90, busy(0.9), name="evaluate", container=OURS)
        proc.pressure_s += 10

    found = measured(machine, change)
    assert (found.foreign_share, found.some_pressure_share, found.doubtful, found.why) == (0, 1, False, None)


def test_the_containers_of_others_do(machine):
    def change(proc):
        proc.process(90, busy(0.4), name="evaluate", container=OTHERS)
        proc.pressure_s += 5

    assert measured(machine, change).foreign_share == 0.4


def test_short_programs_count_by_what_their_parent_has_waited_for(machine):
    machine.process(40, 1.0, 50.0, name="make")

    def change(proc):
        proc.process(40, 1.0, 50.0 + busy(0.6), name="make")
        proc.pressure_s += 5

    assert measured(machine, change).foreign_share == 0.6


def test_what_a_program_did_before_is_not_counted_when_it_ends(machine):
    machine.process(40, 1.0, name="sh")
    machine.process(41, 500.0, parent=40, name="build")
    machine.process(42, 500.0, parent=41, name="compiler")

    def change(proc):
        proc.process(41, None)
        proc.process(42, None)
        proc.process(40, 1.0, 1000.0 + busy(0.1), name="sh")
        proc.pressure_s += 5

    assert measured(machine, change).foreign_share == 0.1


def test_what_init_collects_may_be_our_own_containers_and_is_left_out(machine):
    def change(proc):
        proc.found[1] = (0.0, busy(0.9), 0, "systemd", False, None, 1)
        proc.pressure_s += 5

    assert measured(machine, change).foreign_share == 0


def test_a_pid_that_was_given_to_another_program_counts_from_its_start(machine):
    machine.process(50, 900.0, started=1)

    def change(proc):
        proc.process(50, busy(0.3), started=2)
        proc.pressure_s += 5

    assert measured(machine, change).foreign_share == 0.3


def test_a_name_with_brackets_and_line_feeds_deceives_nobody(machine):
    def change(proc):
        proc.process(50, busy(0.3), name="a) S 1 (\nb")
        proc.pressure_s += 5

    assert measured(machine, change).foreign_share == 0.3


def test_others_disturb_nobody_where_there_are_cores_enough(machine):
    def change(proc):
        proc.process(50, busy(0.5))
        proc.pressure_s += 0.5

    found = measured(machine, change)
    assert (found.foreign_share, found.some_pressure_share, found.doubtful) == (0.5, 0.05, False)


def test_other_virtual_machines_count_as_others(machine):
    def change(proc):
        proc.stolen_s += busy(0.15)
        proc.process(50, busy(0.1))
        proc.pressure_s += 5

    found = measured(machine, change)
    assert (found.steal_share, found.doubtful) == (0.15, True)
    assert "other programs took 10% and other virtual machines took 15% of the processor time" in found.why


@pytest.mark.parametrize(
    ("loadavg", "doubtful"), [(f"{2.5 * CORES} 1 1 1/9 9", True), (f"{0.5 * CORES} 1 1 1/9 9", False)]
)
def test_without_pressure_the_run_queue_says_whether_somebody_had_to_wait(machine, loadavg, doubtful):
    machine.pressure_s, machine.loadavg = None, loadavg

    def change(proc):
        proc.process(50, busy(0.5))

    found = measured(machine, change)
    assert (found.some_pressure_share, found.doubtful) == (None, doubtful)


def test_where_not_all_processes_can_be_seen_nothing_is_known_of_others(machine):
    machine.write()
    link = machine.root / "self" / "ns" / "pid"
    link.unlink()
    link.symlink_to("pid:[4026532201]")

    def change(proc):
        proc.process(50, busy(0.9))
        proc.pressure_s += 10

    found = measured(machine, change)
    assert (found.foreign_share, found.some_pressure_share, found.doubtful) == (None, 1, False)
    assert found.why == "what other programs did is not known here"


def test_a_machine_that_tells_nothing_fails_nothing(machine):
    first, second = load.read(), load.read()
    found = load.between(first, second, frozenset(), LIMITS)
    known = (found.some_pressure_share, found.foreign_share, found.steal_share, found.run_queue_per_cpu)
    assert known == (None, None, None, None)
    assert (found.doubtful, found.why) == (False, "what other programs did is not known here")


def test_an_operator_may_doubt_sooner_later_or_never(machine):
    def change(proc):
        proc.process(50, proc.found.get(50, (0.0,))[0] + busy(0.5))
        proc.pressure_s += 9

    shares = (0.4, 0.6, 1.0)
    found = [measured(machine, change, limits=LoadLimits(doubtful_share=share)).doubtful for share in shares]
    assert found == [True, False, False]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_on_this_machine_a_busy_program_beside_us_is_seen_and_a_child_of_ours_is_not():
    spin = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    child = subprocess.Popen([sys.executable, "-c", spin])
    orphan = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "$0" >/dev/null 2>&1 & echo $!', spin],
        capture_output=True,
        text=True,
        check=True,
    )
    pid = int(orphan.stdout)
    try:
        before = load.read()
        if before.processes is None:
            pytest.skip("not all processes can be seen from here")
        used = used_by(pid)
        while used_by(pid) - used < HZ // 4 or used_by(child.pid) < HZ // 4:
            os.sched_yield()
        after = load.read()
        seen = {key: each for key, each in after.processes.items() if each.pid in (pid, child.pid)}
        counted = load._foreign(before.processes, {**before.processes, **seen}, frozenset())
        assert HZ // 4 - 2 <= counted < used_by(pid) - used + HZ // 2
    finally:
        child.kill()
        child.wait()
        os.kill(pid, 9)


@pytest.mark.docker
def test_on_a_real_engine_a_container_of_ours_is_told_from_that_of_others(engine, container):
    if load.read().processes is None or not load.is_here(engine.facts().kernel):
        pytest.skip("not all processes of the engine can be seen from here")
    running = engine.start(container("while :; do :; done"))
    try:
        ours = running.live.id
        assert ours in engine.live()
        while (inside := spinning(ours)) is None:
            os.sched_yield()
        after = {(inside.pid, inside.started): inside}
        assert load._foreign({}, after, frozenset({ours})) == 0
        assert load._foreign({}, after, frozenset()) == inside.own
    finally:
        running.discard()


def spinning(container):
    """The process of that container that has used a tenth of a second, once there is one."""
    found = load.read().processes.values()
    return next((one for one in found if one.own >= HZ // 10 and load._container(one.pid) == container), None)


def used_by(pid: int) -> int:
    return sum(int(word) for word in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
