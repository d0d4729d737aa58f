"""A task that goes outside its environment is named, and fails the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.models.run import RunReport

RunDag = Callable[..., RunReport]


@pytest.mark.parametrize(
    ("dag_id", "said"),
    [
        ("calls_by_name", "tell reached for api.partner.invalid:80"),
        ("calls_by_address", "knock reached for 192.0.2.7:8443"),
        ("asks_for_a_name", "ask reached for api.partner.invalid"),
        ("calls_in_a_program", "start reached for 192.0.2.8:443"),
        ("calls_in_a_script", "script reached for 192.0.2.8:443"),
        ("holds_a_line_open", "hold reached for 192.0.2.8:443"),
    ],
)
def test_who_goes_outside_is_named(run_dag: RunDag, dag_id: str, said: str) -> None:
    report = run_dag(dag_id)

    assert report.verdict == "fail"
    assert [reason.partition(",")[0] for run in report.runs for reason in run.reasons] == [said]


@pytest.mark.parametrize("allowed", ["api.partner.invalid", "*.partner.invalid", "api.partner.invalid:80"])
def test_what_is_allowed_is_not(run_dag: RunDag, allowed: str) -> None:
    assert run_dag("calls_by_name", egress={allowed: "their sandbox"}).verdict == "pass"


@pytest.mark.parametrize("allowed", ["partner.invalid", "api.partner.invalid:443"])
def test_what_is_allowed_beside_it_does_not_count(run_dag: RunDag, allowed: str) -> None:
    assert run_dag("calls_by_name", egress={allowed: "somebody else's"}).verdict == "fail"


def test_this_machine_is_inside(run_dag: RunDag) -> None:
    report = run_dag("stays_inside")

    assert report.verdict == "pass", report.reasons


def test_a_service_elsewhere_is_inside(run_dag: RunDag, elsewhere: Any) -> None:
    assert run_dag("calls_by_address", services=elsewhere).verdict == "pass"


@pytest.fixture
def elsewhere() -> dict[str, Any]:
    """An external mail server, to which nothing is sent."""
    endpoint = {"role": "smtp", "engine": "external", "host": "192.0.2.7", "port": 8443}
    return {"smtp": {"role": "smtp", "spec": {"engine": "external"}, "endpoint": endpoint, "slice": {}}}
