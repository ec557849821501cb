"""What a worker of this machine is: started once, asked, and ended."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from agentics.config import Config, resolve, runtime_of
from agentics.control.signals import StopSignal, stopping
from agentics.errors import EngineError
from agentics.lighteval.planning import IMAGE
from agentics.model.job.worker_protocol import DescribeOrder, Environment
from agentics.model_worker.launch import ALL_GPUS, ROLE, ContainerLauncher, ProcessLauncher
from agentics.model_worker.pool import WorkerLauncher, WorkerNeeds
from agentics.pipeline.progress import Observer
from agentics.runner.image_builds import image_builds
from agentics.runner.machine import evaluator_uid, open_engine, open_scratch
from agentics.sandbox.labels import OWNER, this_process

_NEEDS = WorkerNeeds(network=False, secrets=(), mounts=(), preload=False)


def probe_worker(config: Config, observer: Observer) -> Environment:
    """Versions, machine, and which backends it can run. Raises EngineError where there is no worker, and Stopped."""
    with ExitStack() as stack:
        scratch = stack.enter_context(open_scratch(config))
        if config.lighteval.is_local:
            hosts: WorkerLauncher = ProcessLauncher(python=Path(config.lighteval.worker), scratch=scratch)
        else:
            engine = stack.enter_context(open_engine(config, scratch))
            facts, used = engine.facts(), resolve(config, "dummy", IMAGE).used
            stop = StopSignal()
            with stopping(stop):
                image_builds(engine, scratch, stop.event, observer).ensure((used,))
            hosts = ContainerLauncher(
                engine=engine,
                scratch=scratch,
                image=lambda: engine.image(used, None).id,
                uid=evaluator_uid(facts),
                labels={OWNER: this_process().label()},
                gpus=ALL_GPUS if facts.gpus else 0,
                runtime=runtime_of(config, "dummy", ROLE),
            )
        host = hosts.start(_NEEDS)
        stack.callback(host.close)
        host.exchange.wait_ready(threading.Event(), config.lighteval.limits.start_s)
        session = host.exchange.session("probe")
        batches = session.carry_out(lambda number: DescribeOrder(order=number), threading.Event())
        found = [event for batch in batches for event in batch if isinstance(event, Environment)]
        if not found:
            msg = "the worker did not say what it is"
            raise EngineError(msg, code="worker_protocol", retryable=False)
        return found[-1]
