from __future__ import annotations

from pathlib import Path

import pytest

from harness.environment import Environment
from harness.gate.drift import compare, undeclared

ENVIRONMENTS = Path(__file__).parents[3] / "environments"
OUTSIDE = ("PGHOST", "PGUSER", "PGPASSWORD", "S3_HOST", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
VARIABLES = dict.fromkeys((*OUTSIDE, "KAFKA_HOST", "SPARK_HOST", "UPSTREAM_HOST", "SMTP_HOST"), "x")


@pytest.mark.parametrize("stage", ["dev", "test", "acc", "prod"])
def test_every_stage_of_the_suite_loads(stage: str) -> None:
    found = Environment.load(stage, ENVIRONMENTS, environ=VARIABLES)
    assert found.spec.stage == stage
    assert (found.spec.gate.requires != []) == (stage != "dev")


@pytest.mark.parametrize(("a", "b"), [("test", "acc"), ("acc", "prod")])
def test_the_stages_of_the_suite_differ_in_nothing_that_dags_find(a: str, b: str) -> None:
    first, second = (Environment.load(name, ENVIRONMENTS, environ=VARIABLES) for name in (a, b))
    assert undeclared(compare(first, second, ())) == []


def test_nothing_is_started_in_production() -> None:
    found = Environment.load("prod", ENVIRONMENTS, environ=VARIABLES)
    assert {service.engine for service in found.spec.services.values()} == {"external"}
    assert found.spec.gate.approvals is not None
