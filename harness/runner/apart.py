"""Runs a function in a fork of its own: what it imports, opens and leaves running ends with it."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.errors import RunError
from harness.session import forkchild

T = TypeVar("T")


def apart(function: Callable[[], T], *, name: str, log: Path) -> T:
    """Call `function` in a forked child and return what it returned.

    Args:
        function: what to call; its result must be picklable.
        name: what it is, for the error: `the seed module:function`.
        log: file that its output is appended to.

    Raises:
        RunError: it raised or died; with its last line, and the place of the log.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _answer(function, write, log)
    os.close(write)
    try:
        with os.fdopen(read, "rb") as pipe:
            data = pipe.read()
    finally:
        _, status = os.waitpid(pid, 0)
    if not data:
        raise RunError(f"{name} died with exit code {os.waitstatus_to_exitcode(status)}", hint=f"its log is {log}")
    ok, value = pickle.loads(data)  # noqa: S301 - our own child
    if not ok:
        raise RunError(f"{name} failed: {value}", hint=f"its log is {log}")
    result: T = value
    return result


def _answer(function: Callable[[], object], write: int, log: Path) -> None:
    code = 0
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        forkchild.dump_stacks_to(str(log.with_suffix(".stack")))
        answer: tuple[bool, object] = (True, function())
        data = pickle.dumps(answer)
    except BaseException as error:  # noqa: BLE001 - the parent raises it in its own words
        traceback.print_exc(file=sys.stderr)
        data = pickle.dumps((False, f"{type(error).__name__}: {error}"))
        code = 1
    with contextlib.suppress(OSError), os.fdopen(write, "wb") as pipe:
        pipe.write(data)
    forkchild.finish(code)
