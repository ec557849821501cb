"""C20: killed right before or in the middle of a request to the engine, the same command does the rest.

Nothing is left then: no container, no mount, no scratch directory.
"""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

KINDS = ("http.client.send", "asked", "mount", "unmount")
SPREAD = 10


def test_c20_killed_at_requests_to_the_engine_nothing_is_left_and_it_goes_on(crashes):
    killed = crashes(fake=False)
    requests = [n for n, change in enumerate(killed.changes(), start=1) if change.partition(" ")[0] in KINDS]
    assert len(requests) > 100
    for number in requests[:: len(requests) // SPREAD]:
        killed.kill_and_go_on(number)
