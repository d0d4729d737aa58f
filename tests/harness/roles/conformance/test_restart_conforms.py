from __future__ import annotations

from typing import Any

import pytest

from harness.services.registry import bind

ROLES = ["kafka", "postgres", "s3"]


@pytest.mark.parametrize("role", ROLES)
def test_a_service_that_is_started_again_is_new_and_complete(role: str, start: Any, declared: Any) -> None:
    with start({role: declared[role]}) as first:
        old = first.services[role]
        old.ping()
        before = [(dataset.name, dataset.kind) for dataset in old.snapshot()]
        stopped = first.running[role]
    assert not stopped.alive()
    with pytest.raises(Exception, match=r".+"):
        bind(role, role, old.spec, old.endpoint).ping()
    with start({role: declared[role]}) as second:
        new = second.services[role]
        new.ping()
        assert [(dataset.name, dataset.kind) for dataset in new.snapshot()] == before
        assert new.endpoint.port != old.endpoint.port


@pytest.mark.parametrize("role", ROLES)
def test_a_stopped_service_says_so_as_often_as_it_is_asked(role: str, start: Any, declared: Any) -> None:
    with start({role: declared[role]}) as fleet:
        running = fleet.running[role]
        assert running.alive()
        running.stop()
        running.stop()
        assert not running.alive()
        assert running.pids() == ()
