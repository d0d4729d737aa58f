"""Environment files: what may stand in them, and how they become one resolved specification.

Importing this package costs next to nothing: pydantic and the YAML reader come with the first name that is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.environment.load import Environment as Environment
    from harness.environment.source import Origin as Origin
    from harness.environment.spec import EnvironmentSpec as EnvironmentSpec

_HOME = {
    "Environment": "harness.environment.load",
    "EnvironmentSpec": "harness.environment.spec",
    "Origin": "harness.environment.source",
}

__all__ = ["Environment", "EnvironmentSpec", "Origin"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
