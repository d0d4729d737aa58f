from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.errors import ConfigError, RunError, WorkerLost
from harness.session.forkclient import ForkClient, ForkServer, Options, Outcome

HERE = str(Path(__file__).parent)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with ForkServer.start(folder=tmp_path_factory.mktemp("fork"), preload=["json", "no_such_module"]) as started:
        yield started


def run(server: ForkServer, name: str, payload: dict[str, Any] | None = None, on_event=None, **options: Any) -> Outcome:
    return server.client().run(
        f"targets:{name}",
        payload or {},
        on_event or (lambda event: None),
        options=Options(**({"sys_path": [HERE]} | options)),
    )


def gone(pids: list[int]) -> bool:
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=60)
    return not alive


def test_function_runs_in_a_child_of_its_own_with_what_it_was_given(server, tmp_path):
    outcome = run(server, "echo", {"a": [1, "é"]}, cwd=str(tmp_path), environ={"HARNESS_TEST": "yes"})
    assert outcome.finished
    assert outcome.result["pid"] not in (os.getpid(), server.pid)
    assert {key: outcome.result[key] for key in ("payload", "cwd", "variable", "path", "group")} == {
        "payload": {"a": [1, "é"]},
        "cwd": str(tmp_path),
        "variable": "yes",
        "path": HERE,
        "group": True,
    }


def test_one_request_leaves_no_trace_in_the_next(server):
    run(server, "echo", environ={"HARNESS_TEST": "yes"})
    assert run(server, "echo").result["variable"] is None


def test_events_come_in_order_before_the_result(server):
    seen: list[int] = []
    run(server, "echo", {"events": 100}, lambda event: seen.append(event["number"]))
    assert seen == list(range(100))


def test_large_payload_arrives_whole(server):
    big = "x" * 3_000_000
    assert run(server, "echo", {"big": big}).result["payload"]["big"] == big


def test_module_that_is_not_installed_is_named_and_no_obstacle(server):
    assert [line.split(":")[0] for line in server.missing] == ["no_such_module"]


def test_requests_run_at_the_same_time(server):
    started = threading.Barrier(3)
    outcomes: list[Outcome] = []

    def one() -> None:
        outcomes.append(run(server, "interruptible", on_event=lambda _: started.wait(60), deadline=2))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait(60)
    for thread in threads:
        thread.join(60)
    assert [one.result for one in outcomes] == ["interrupted", "interrupted"]


def test_error_comes_back_with_its_traceback(server):
    outcome = run(server, "fail", {"words": "no such table"})
    assert outcome.error is not None
    assert outcome.describe() == "ValueError: no such table"
    with pytest.raises(RunError, match="in fail"):
        outcome.raise_error()


def test_mistake_of_the_users_is_raised_as_what_it_was(server):
    with pytest.raises(ConfigError, match=r"a\.yaml:3:7: unknown key; did you mean 'b'\?"):
        run(server, "refuse").raise_error()


@pytest.mark.parametrize(
    ("name", "payload", "words"),
    [("segfault", {}, "killed by SIGSEGV"), ("exit_hard", {"code": 9}, "exit code 9")],
)
def test_death_of_a_child_is_told_in_words_and_hurts_nobody_else(server, name, payload, words):
    assert run(server, name, payload).describe() == words
    assert run(server, "echo").finished


def test_output_goes_to_a_file(server, tmp_path):
    run(server, "speak", output=str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "to stdout\nto stderr\n"


def test_output_goes_to_passed_descriptors(server, tmp_path):
    with (tmp_path / "out").open("w") as out, Path(os.devnull).open() as nothing:
        server.client().run(
            "targets:speak",
            {},
            options=Options(sys_path=[HERE]),
            stdio=[nothing.fileno(), out.fileno(), out.fileno()],
        )
    assert (tmp_path / "out").read_text() == "to stdout\nto stderr\n"


def test_memory_limit_stops_a_child(server):
    assert run(server, "eat", {"megabytes": 10}, memory_mb=600).finished
    outcome = run(server, "eat", {"megabytes": 700}, memory_mb=600)
    assert outcome.error is not None
    assert outcome.error["type"] == "MemoryError"


def test_deadline_interrupts_first(server):
    outcome = run(server, "interruptible", deadline=0.5)
    assert (outcome.result, outcome.cause) == ("interrupted", "deadline")


def test_deadline_ends_the_whole_tree_and_shows_the_stack(server, tmp_path):
    seen: list[int] = []
    outcome = run(
        server,
        "hang",
        {"daemon": str(tmp_path / "pid")},
        lambda event: seen.extend(event["pids"]),
        deadline=2,
        grace=(0.2, 0.2),
        stack_file=str(tmp_path / "stack"),
    )
    assert (outcome.cause, outcome.signal) == ("deadline", "SIGKILL")
    assert "in hang" in outcome.stack
    assert len(seen) == 3
    assert gone(seen)


def test_client_that_hangs_up_ends_its_child(server, tmp_path):
    request = {
        "version": 1,
        "target": "targets:hang",
        "payload": {"daemon": str(tmp_path / "pid")},
        "sys_path": [HERE],
        "grace": [0.2, 0.2],
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server.address)
        connection.sendall(json.dumps(request).encode() + b"\n")
        pids = json.loads(connection.makefile("rb").readline())["event"]["pids"]
    assert gone(pids)


def test_ctrl_c_interrupts_the_child_and_is_raised_again(server):
    def interrupt(_: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(server, "interruptible", on_event=interrupt)
    assert psutil.Process(server.pid).children() == []


def test_request_of_another_version_is_refused(server):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server.address)
        connection.sendall(b'{"version": 999}\n')
        answer = connection.makefile("rb").read()
    assert b"speaks version 1" in answer


def test_socket_is_in_a_private_folder(server):
    assert Path(server.address).parent.stat().st_mode & 0o077 == 0


def test_a_module_that_prints_while_it_is_imported_does_not_hide_the_answer(tmp_path, monkeypatch):
    (tmp_path / "chatty.py").write_text("print('setup plugin one')\nprint('setup plugin two')\n")

    # its lines wait in the server's buffer, and come with the answer at once
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with ForkServer.start(folder=tmp_path / "home", preload=["chatty"], within=30) as server:
        assert server.alive()


def test_stopped_server_is_missed_in_words(tmp_path):
    with ForkServer.start(folder=tmp_path, preload=[]) as server:
        address = server.address
    with pytest.raises(WorkerLost, match="no fork server answers"):
        ForkClient(address).run("targets:echo", {})


def test_stop_ends_the_children_too(tmp_path):
    seen: list[int] = []
    server = ForkServer.start(folder=tmp_path, preload=[])
    arrived = threading.Event()

    def on_event(event: dict[str, Any]) -> None:
        seen.extend(event["pids"])
        arrived.set()

    def ask() -> None:
        with pytest.raises(WorkerLost):
            run(server, "hang", {"daemon": str(tmp_path / "pid")}, on_event)

    thread = threading.Thread(target=ask)
    thread.start()
    assert arrived.wait(60)
    server.stop()
    thread.join(60)
    assert gone(seen)


def test_server_dies_with_its_parent_and_leaves_no_folder(tmp_path):
    program = (
        "import os, sys, time, pathlib\n"
        "from harness.session.forkclient import ForkServer\n"
        f"server = ForkServer.start(folder=pathlib.Path({str(tmp_path)!r}), preload=[])\n"
        "print(server.pid, server.address, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    assert parent.stdout is not None
    pid, address = parent.stdout.readline().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    parent.stdout.close()
    assert gone([int(pid)])
    assert not Path(address).parent.exists()


def test_server_that_cannot_start_says_why(tmp_path):
    with pytest.raises(RunError, match="no attribute 'nothing'"):
        ForkServer.start(folder=tmp_path, preload=["json:nothing"])
