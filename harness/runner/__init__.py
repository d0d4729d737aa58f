"""Runs a DAG inline, in a child of the fork server, and judges it from its tasks up."""

from __future__ import annotations

from harness.runner.request import Dates, RunEvent, RunRequest
from harness.runner.run import run

__all__ = ["Dates", "RunEvent", "RunRequest", "run"]
