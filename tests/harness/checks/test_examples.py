from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from harness.checks.registry import Registry
from harness.checks.run import examined
from tests.harness.checks.airflow_examples import example_folders

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]

JUSTIFIED = tomllib.loads((ROOT / "scripts" / "compatibility.toml").read_text(encoding="utf-8"))["errors"]


def test_every_error_in_the_examples_of_airflow_is_justified() -> None:
    project, judged = examined(example_folders(), cache=False)
    assert project.count > 100
    errors = Counter(f"{Path(f.path).name} {f.rule}" for f in judged.findings if f.severity == "error")
    assert errors.keys() == JUSTIFIED.keys()
    assert errors["example_sensors.py DAG303"] == 4
    assert errors.total() == len(JUSTIFIED) + 3


def test_enough_rules_are_errors_by_default() -> None:
    assert sum(rule.default and rule.severity == "error" for rule in Registry.load().rules.values()) >= 20
