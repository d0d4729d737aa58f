"""Test harness and local emulation for Airflow pipelines: real services, verdicts, proofs, and a release gate."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import Session as Session
    from harness.environment import Environment as Environment
    from harness.expect.objects import expect_objects as expect_objects
    from harness.expect.tables import expect_table as expect_table
    from harness.expect.topics import expect_topic as expect_topic
    from harness.proofs import prove as prove

_HOME = {
    "Environment": "harness.environment",
    "Session": "harness.api",
    "expect_objects": "harness.expect.objects",
    "expect_table": "harness.expect.tables",
    "expect_topic": "harness.expect.topics",
    "prove": "harness.proofs",
}

__all__ = ["Environment", "Session", "expect_objects", "expect_table", "expect_topic", "prove"]


def __getattr__(name: str) -> Any:
    # imported when it is asked for: `harness --help` pays for neither
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
