"""Static rules for DAG files: what is wrong with them before they run, where, and what to do about it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.checks.config import Settings as Settings
    from harness.checks.model import CheckReport as CheckReport
    from harness.checks.model import Finding as Finding
    from harness.checks.registry import Hit as Hit
    from harness.checks.registry import at as at
    from harness.checks.registry import rule as rule
    from harness.checks.run import Request as Request
    from harness.checks.run import check as check

_HOME = {
    "CheckReport": "harness.checks.model",
    "Finding": "harness.checks.model",
    "Hit": "harness.checks.registry",
    "Request": "harness.checks.run",
    "Settings": "harness.checks.config",
    "at": "harness.checks.registry",
    "check": "harness.checks.run",
    "rule": "harness.checks.registry",
}

__all__ = ["CheckReport", "Finding", "Hit", "Request", "Settings", "at", "check", "rule"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
