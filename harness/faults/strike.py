"""Raising in a task directly after a write, from where its own code stands.

The signal of the proxy arrives inside a client library, which would take an exception there for a broken connection
and try again. So the library's call is left to end, with success or with a refusal, and the exception is raised at the
next step of the innermost frame of the project's own code; where there is none, at once, past all `except Exception`.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


class InjectedFault(RuntimeError):
    """The exception that a fault raises inside a task: to the task one like any other."""


class Struck(BaseException):
    """A fault in a task without code of its own; not an Exception, so that no library takes it for its own."""


def raise_soon(frame: FrameType | None, make: Callable[[], InjectedFault]) -> None:
    """Raise what `make` returns at the next step of the project's code that `frame` was called from.

    Args:
        frame: what a signal has interrupted.
        make: called at that step.

    Raises:
        Struck: no code of the project is on the stack.
    """
    own = _own(frame)
    if own is None:
        raise Struck

    def step(_: FrameType, event: str, argument: Any) -> None:
        del event, argument
        sys.settrace(None)
        raise make()

    # a frame is only stepped through while the thread has a tracer at all
    sys.settrace(lambda *_: None)
    own.f_trace = step


def _own(frame: FrameType | None) -> FrameType | None:
    foreign = _foreign()
    while frame is not None:
        name = frame.f_code.co_filename
        place = Path(name).resolve()
        if not name.startswith("<") and not any(place.is_relative_to(folder) for folder in foreign):
            return frame
        frame = frame.f_back
    return None


def _foreign() -> tuple[Path, ...]:
    """Return the folders whose code is not the project's: the interpreter's, installed packages, and the harness."""
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return (Path(__file__).resolve().parents[1], *(Path(folder).resolve() for folder in folders))
