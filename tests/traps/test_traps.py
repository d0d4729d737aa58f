from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from harness.checks.config import Settings
from harness.checks.model import CheckReport
from harness.checks.registry import registry_of
from harness.checks.run import Request, check
from harness.environment import Environment
from harness.environment.spec import Property
from tests.traps import catalogue
from tests.traps.catalogue import Trap

HERE = Path(__file__).resolve().parent


TRAPS = catalogue.traps()
each_trap = pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)


@pytest.fixture(scope="module")
def environment() -> Environment:
    return Environment.load("dev", folder=HERE / "environments")


def test_there_are_at_least_ninety_traps() -> None:
    assert len(TRAPS) >= 90


def test_the_manifest_names_every_file_and_no_other() -> None:
    named = {trap.file(kind).name for trap in TRAPS for kind in ("trap", "twin")}
    assert {path.name for path in catalogue.DAGS.glob("*.py")} == named


def test_no_rule_or_property_accounts_for_more_than_twelve() -> None:
    assert max(Counter(trap.found_by for trap in TRAPS).values()) <= 12


def test_every_property_has_a_trap() -> None:
    assert {trap.found_by for trap in TRAPS if trap.detector == "property"} == set(get_args(Property))


@each_trap
def test_a_twin_differs_by_at_most_ten_lines(trap: Trap) -> None:
    assert 0 < catalogue.changed_lines(trap) <= 10


@each_trap
def test_the_detector_that_a_trap_names_exists(trap: Trap) -> None:
    rules, properties = set(registry_of(Settings().plugins, HERE).rules), set(get_args(Property))
    known = {"rule": rules, "property": properties, "run": {"outputs untouched", "reached for"}}
    assert trap.found_by in known[trap.detector]


@each_trap
def test_a_trap_and_its_twin_are_declared_alike(trap: Trap, environment: Environment) -> None:
    assert environment.spec.dags[trap.dag_id("trap")] == environment.spec.dags[trap.dag_id("twin")]


@each_trap
def test_a_trap_and_its_twin_have_the_same_docstring(trap: Trap) -> None:
    first_lines = {trap.file(kind).read_text().splitlines()[0] for kind in ("trap", "twin")}
    assert len(first_lines) == 1


@pytest.fixture(scope="module")
def report(environment: Environment) -> CheckReport:
    return check(Request([catalogue.DAGS], Settings(), environment))


@pytest.mark.slow
def test_airflow_loads_every_file_but_the_one_that_needs_its_database(report: CheckReport) -> None:
    broken = {Path(finding.path).stem for finding in report.findings if finding.rule == "DAG001"}
    assert report.files == 2 * len(TRAPS)
    assert broken == {"trap_countries_at_parse"}


@pytest.mark.slow
def test_no_twin_has_an_error(report: CheckReport) -> None:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    assert [finding for finding in errors if Path(finding.path).stem.startswith("twin_")] == []
