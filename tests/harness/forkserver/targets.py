"""What the tests have children of the fork server do."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def echo(payload: dict[str, Any], emit: Any) -> dict[str, Any]:
    for number in range(payload.get("events", 0)):
        emit({"number": number})
    return {
        "payload": payload,
        "pid": os.getpid(),
        "cwd": str(Path.cwd()),
        "variable": os.environ.get("HARNESS_TEST"),
        "path": sys.path[0],
        "group": os.getpgid(0) == os.getpid(),
    }


def fail(payload: dict[str, Any], emit: Any) -> None:
    raise ValueError(payload["words"])


def refuse(payload: dict[str, Any], emit: Any) -> None:
    from harness.errors import ConfigError

    raise ConfigError("unknown key", path="a.yaml", line=3, column=7, hint="did you mean 'b'?")


def segfault(payload: dict[str, Any], emit: Any) -> None:
    ctypes.string_at(0)


def exit_hard(payload: dict[str, Any], emit: Any) -> None:
    os._exit(int(payload["code"]))


def speak(payload: dict[str, Any], emit: Any) -> None:
    print("to stdout")  # noqa: T201 - what it is for
    print("to stderr", file=sys.stderr)  # noqa: T201


def eat(payload: dict[str, Any], emit: Any) -> int:
    return len(bytearray(payload["megabytes"] << 20))


def hang(payload: dict[str, Any], emit: Any) -> None:
    """Ignore every signal that can be ignored, with a child that has left the session and a daemon."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    away = subprocess.Popen(["sleep", "600"], start_new_session=True)
    if (pid := os.fork()) == 0:
        os.setsid()
        daemon = subprocess.Popen(["sleep", "600"], start_new_session=True)
        emit_from = Path(payload["daemon"])
        emit_from.write_text(str(daemon.pid))
        os._exit(0)
    os.waitpid(pid, 0)
    emit({"pids": [os.getpid(), away.pid, int(Path(payload["daemon"]).read_text())]})
    while True:
        time.sleep(600)


def interruptible(payload: dict[str, Any], emit: Any) -> str:
    emit({"up": True})
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        return "interrupted"
    return "slept"
