"""Unit tests of operators and hooks: a real context, mocked hooks, AWS in memory, captured logs; no database."""

from __future__ import annotations

from harness.checks.scenario import Scenario
from harness.unit.aws import mock_aws
from harness.unit.context import task_context
from harness.unit.cursor import Rows
from harness.unit.environ import connection_environ, variable_environ
from harness.unit.hooks import mock_hook
from harness.unit.logs import LogEntry, Logs, captured_logs
from harness.unit.operator import Deferral, OperatorRun, Triggered, resume_operator, run_operator
from harness.unit.scenario import graph_scenario, task_states
from harness.unit.supervision import supervised

__all__ = [
    "Deferral",
    "LogEntry",
    "Logs",
    "OperatorRun",
    "Rows",
    "Scenario",
    "Triggered",
    "captured_logs",
    "connection_environ",
    "graph_scenario",
    "mock_aws",
    "mock_hook",
    "resume_operator",
    "run_operator",
    "supervised",
    "task_context",
    "task_states",
    "variable_environ",
]
