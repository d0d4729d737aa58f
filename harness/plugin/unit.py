"""Fixtures for unit tests of operators and hooks; what they give is in `harness.unit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.unit import Logs


@pytest.fixture
def task_context() -> Iterator[Callable[..., dict[str, Any]]]:
    """Make contexts: `task_context(operator, "2026-01-02", xcoms={"extract": 3})`; see `harness.unit.task_context`.

    All contexts of one test share their XComs and variables.
    """
    from harness import unit

    with unit.supervised() as supervisor:
        yield partial(unit.task_context, supervisor=supervisor)


@pytest.fixture
def mock_hook() -> Iterator[Callable[..., Any]]:
    """Answer for a hook until the test ends: `mock_hook("postgres_default", rows=[(1,)])`.

    See `harness.unit.mock_hook`.
    """
    from harness import unit

    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(unit.mock_hook(*args, **options))


@pytest.fixture
def mock_aws() -> Iterator[Callable[[str], Any]]:
    """AWS in memory, for hooks of `aws_default` and for the clients that it makes: `mock_aws("s3")`."""
    from harness import unit

    with unit.mock_aws() as client:
        yield client


@pytest.fixture
def airflow_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define connections: `airflow_connection("shop", conn_type="http", host="shop.test")`, or with `uri=`."""

    def define(conn_id: str, uri: str | None = None, **fields: Any) -> None:
        from harness.unit import connection_environ

        for name, value in connection_environ(conn_id, uri, **fields).items():
            monkeypatch.setenv(name, value)

    return define


@pytest.fixture
def airflow_variable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """Define Airflow variables: `airflow_variable("region", "eu-west-1")`; what is no string becomes JSON."""

    def define(key: str, value: Any) -> None:
        from harness.unit import variable_environ

        for name, text in variable_environ(key, value).items():
            monkeypatch.setenv(name, text)

    return define


@pytest.fixture
def task_logs() -> Iterator[Logs]:
    """What the test logs, by structlog or `logging`: `task_logs.at("warning")`. `run_operator` has logs of its own."""
    from harness.unit import captured_logs

    with captured_logs() as logs:
        yield logs
