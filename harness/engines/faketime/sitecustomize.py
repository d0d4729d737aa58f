"""Lets Python programs sleep under libfaketime: read by the interpreter at its start, where this folder is on its path.

`time.sleep` sleeps until a moment of the monotonic clock (Python 3.11 and later). libfaketime 0.9.10 makes a negative
moment of it when that clock is left as it is, and the call fails with EINVAL; a wait of `select` has a length instead.
"""

import select
import sys
import time
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex) -> None:
    """Do what `time.sleep` does."""
    if (length := float(seconds)) < 0:
        raise ValueError("sleep length must be non-negative")
    select.select((), (), (), length)


time.sleep = sleep

# then what would have been read without this module
rest = [place for place in sys.path if Path(place) != Path(__file__).parent]
if (other := PathFinder.find_spec("sitecustomize", rest)) and other.loader:
    other.loader.exec_module(module_from_spec(other))
