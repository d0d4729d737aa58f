"""Lets a process see another time, by libfaketime where the system has it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from harness.engines.launch import PRELOAD
from harness.errors import ServiceError

#: where Debian, Ubuntu, Fedora, Arch and Alpine put the library that is preloaded
PLACES = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib*/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
)

_MENDED = Path(__file__).with_name("faketime")


def libfaketime(places: Iterable[str] = PLACES) -> Path | None:
    """Return the library, or None where there is none; macOS does not let it into signed programs."""
    if sys.platform != "linux":
        return None
    return next((path for place in places for path in sorted(Path("/").glob(place.lstrip("/")))), None)


def shifted_environ(seconds: float) -> dict[str, str]:
    """Return the variables under which a program, and all that it starts, is `seconds` off; none for zero.

    Waits keep their length: the monotonic clock stays as it is (libfaketime's manual, FAKETIME_DONT_FAKE_MONOTONIC).

    Raises:
        ServiceError: the system has no libfaketime.
    """
    if not seconds:
        return {}
    library = libfaketime()
    if library is None:
        raise ServiceError("the clock of a service cannot be shifted here", hint="apt-get install libfaketime")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds:+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        # else a JVM's waits by that clock end at once, and its threads spin
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        # a JVM takes its class-data archive for that of other jars when their times have moved
        "NO_FAKE_STAT": "1",
        # for Python programs, which could not sleep otherwise
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_MENDED), os.environ.get("PYTHONPATH")])),
    }


def for_launch(environ: dict[str, str]) -> dict[str, str]:
    """Return the variables as `launch.py` takes them: what is preloaded is preloaded into the command, not into it."""
    return {PRELOAD if name == "LD_PRELOAD" else name: value for name, value in environ.items()}
