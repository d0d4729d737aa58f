from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.errors import Crashed, StartTimeout
from harness.services.ready import wait_until_ready
from harness.services.registry import bind

# each test starts servers of its own
pytestmark = pytest.mark.slow

KINDS = ["postgres", "moto", "minio", "http", "smtp"]
WITH_CREDENTIALS = ["postgres", "moto", "minio", "smtp"]


@pytest.mark.parametrize("kind", KINDS)
def test_stop_leaves_no_process_and_no_data(kind: str, launch: Any) -> None:
    with launch(kind) as started:
        family = [psutil.Process(pid) for pid in started.running.pids()]
        started.service.ping()
    assert not started.running.alive()
    assert started.running.pids() == ()
    assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert [path.suffix for path in started.place.folder.iterdir()] == [".log"]
    assert list(Path(tempfile.gettempdir()).glob(f"harness-{started.place.session}-*")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_stopping_twice_is_stopping_once(kind: str, launch: Any) -> None:
    with launch(kind, ready=False) as started:
        started.running.stop()
        started.running.stop()
        assert not started.running.alive()


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_never_answers_is_told_with_address_and_hint(kind: str, launch: Any) -> None:
    with launch(kind, ready=False) as started:
        pid = started.running.pids()[0]
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(StartTimeout) as told:
            wait_until_ready(started.service, started.running, within=0.3)
        os.kill(pid, signal.SIGCONT)
    assert started.running.endpoint.address in told.value.message
    assert "start_timeout" in str(told.value.hint)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_ends_before_it_answers_is_told_as_crashed(kind: str, launch: Any) -> None:
    with launch(kind, ready=False) as started:
        os.kill(started.running.pids()[0], signal.SIGKILL)
        with pytest.raises(Crashed) as told:
            wait_until_ready(started.service, started.running, within=60)
    assert told.value.role == started.service.name
    assert told.value.hint


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_server_is_not_alive_and_does_not_answer(kind: str, launch: Any) -> None:
    with launch(kind) as started:
        leader = started.running.pids()[0]
        os.kill(leader, signal.SIGKILL)
        wait_for_the_end_of(leader, started.running)
        assert not started.running.alive()
        started.service.release()
        with pytest.raises(Exception, match=r".+"):
            started.service.ping()


@pytest.mark.parametrize("kind", WITH_CREDENTIALS)
def test_every_start_has_new_credentials_and_refuses_the_old(kind: str, launch: Any) -> None:
    with launch(kind) as first, launch(kind) as second:
        old, new = first.running.endpoint, second.running.endpoint
        assert old.password != new.password
        assert len(new.password) >= 20
        stale = new.model_copy(update={"user": old.user, "password": old.password})
        with pytest.raises(
            Exception, match=r"password authentication failed|InvalidAccessKeyId|Authentication credentials invalid"
        ):
            bind("stale", second.service.role, second.service.spec, stale).ping()


def wait_for_the_end_of(leader: int, running: Any) -> None:
    try:
        os.waitid(os.P_PID, leader, os.WEXITED | os.WNOWAIT)  # ended, and not reaped by us
    except ChildProcessError:
        running.container.get_wrapped_container().wait(timeout=30)
