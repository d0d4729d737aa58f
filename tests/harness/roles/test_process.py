from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.engines.process import ServerProcess, free_ports, listening_socket, random_password, reserved_ports, tail
from harness.errors import ServiceError
from tests.patience import eventually


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    made: list[ServerProcess] = []

    def start(script: str, **options: Any) -> ServerProcess:
        made.append(ServerProcess.spawn(["sh", "-c", script], folder=tmp_path, log=tmp_path / "log", **options))
        return made[-1]

    yield start
    for process in made:
        process.stop(within=0)


def saying(process: ServerProcess, text: str, within: float = 60.0) -> str:
    """The log, once the text is in it."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        said = "\n".join(process.log_tail())
        if text in said:
            return said
    raise AssertionError(f"{text!r} was not said within {within} s, but: {process.log_tail()}")


def test_output_goes_to_the_log_and_the_environment_is_added_to(spawn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "old")
    process = spawn("echo $INHERITED $ADDED; echo failing >&2; cat; echo end", env={"ADDED": "new"})
    assert saying(process, "end").splitlines() == ["old new", "failing", "end"]


def test_a_server_leads_a_session_of_its_own(spawn: Any) -> None:
    process = spawn("echo up; sleep 60")
    saying(process, "up")
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid


def test_stop_ends_descendants_that_left_the_group(spawn: Any) -> None:
    process = spawn("setsid sleep 60 & echo $!; sleep 60 & wait")
    assert eventually(lambda: len(process.pids()) == 3)
    family = [psutil.Process(pid) for pid in process.pids()]
    process.stop()
    assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def test_stop_kills_a_server_that_does_not_listen(spawn: Any) -> None:
    process = spawn("trap '' TERM; echo deaf; while :; do sleep 60; done")
    saying(process, "deaf")
    process.stop(within=0.2)
    assert not process.alive()


def test_stop_asks_with_the_signal_that_the_server_understands(spawn: Any) -> None:
    process = spawn("trap 'echo bye; exit' INT; echo up; while :; do sleep 0.05; done", stop_signal=signal.SIGINT)
    saying(process, "up")
    process.stop()
    assert process.log_tail()[-1] == "bye"


def test_a_server_that_ended_is_not_alive(spawn: Any) -> None:
    process = spawn("exit 3")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped by us
    assert not process.alive()
    assert process.pids() == ()


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no-such-server"):
        ServerProcess.spawn(["no-such-server"], folder=tmp_path, log=tmp_path / "log")


PARENT = """
import sys, time
from pathlib import Path
from harness.engines.process import ServerProcess
folder = Path(sys.argv[1])
process = ServerProcess.spawn(["sleep", "600"], folder=folder, log=folder / "log", user=eval(sys.argv[2]))
print(process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
@pytest.mark.parametrize("user", [None, (65534, 65534)], ids=["same-user", "another-user"])
def test_kill_9_of_the_parent_ends_the_server(user: tuple[int, int] | None, tmp_path: Path) -> None:
    if user is not None and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), repr(user)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        assert server.is_running()
        parent.kill()
        _, alive = psutil.wait_procs([server], timeout=60)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_can_drop_to_another_user_with_no_groups(spawn: Any) -> None:
    process = spawn("id -u; id -g; id -G; echo end", user=(65534, 65533))
    assert saying(process, "end").split() == ["65534", "65533", "65533", "end"]


def test_ports_that_are_asked_for_together_differ() -> None:
    assert len(set(free_ports(50))) == 50


def test_a_server_inherits_a_socket_that_already_listens(spawn: Any) -> None:
    program = "import socket, sys; socket.socket(fileno=int(sys.argv[1])).accept()[0].sendall(b'hello')"
    with listening_socket() as listener:
        number = listener.fileno()
        spawn(
            f'exec "$PYTHON" -c "$PROGRAM" {number}',
            env={"PYTHON": sys.executable, "PROGRAM": program},
            pass_fds=(number,),
        )
        address = listener.getsockname()
    with socket.create_connection(address, timeout=60) as connection:
        assert connection.recv(5) == b"hello"


def test_secrets_do_not_show_in_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {number} with hunter2" for number in range(100)))
    assert tail(log, 2, hide=["hunter2"]) == ("line 98 with ***", "line 99 with ***")


def test_the_end_of_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "log") == ()


def test_passwords_differ_and_need_no_quoting() -> None:
    made = {random_password() for _ in range(100)}
    assert len(made) == 100
    assert all(set(one) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") for one in made)


def test_a_reserved_port_is_nobodys_but_the_servers_that_it_is_for() -> None:
    (port, other), held = reserved_ports(2)
    with held:
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(server.getsockname()):
            assert server.accept()
    assert port != other
