"""A baseline knows a finding by its words, so they must be the same in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.checks.registry import Registry
from tests.harness.checks.examples import as_file

ROOT = Path(__file__).parents[3]
SEEDS = ("1", "2", "3")

ASK = """\
import json, sys
from pathlib import Path
from harness.checks.run import examined
from tests.harness.checks.examples import ENVIRONMENT
_, judged = examined((Path(sys.argv[1]),), load=sys.argv[2] == "load", cache=False, environment=ENVIRONMENT)
print(json.dumps([finding.model_dump(mode="json") for finding in judged.findings]))
"""

MANY_LENIENT = """\
with DAG("lenient", schedule=None):
    load = BashOperator(task_id="load", bash_command="load")
    first = EmptyOperator(task_id="first", trigger_rule="all_done")
    second = EmptyOperator(task_id="second", trigger_rule="one_failed")
    third = EmptyOperator(task_id="third", trigger_rule="one_done")
    last = BashOperator(task_id="last", bash_command="x", trigger_rule="always")
    load >> [first, second, third] >> last
"""

FROM_A_SET = """\
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
with DAG("tables", schedule=None):
    for table in {"orders", "customers", "prices", "stocks", "returns"}:
        BashOperator(task_id=table, bash_command="load " + table)
with DAG("broken", schedule=None):
    raise ValueError(f"no tables but {set('abcdefgh')}, says {object()}")
"""


def say(folder: Path, seed: str, how: str) -> list[dict[str, object]]:
    """Check a folder in a process of its own, whose sets have another order."""
    environ = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", ASK, str(folder), how]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    found: list[dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_findings_are_the_same_whatever_the_order_of_sets(tmp_path: Path) -> None:
    rules = Registry.load().rules
    for rule in rules.values():
        for kind in ("bad", "tricky"):
            if code := getattr(rule.page, kind):
                (tmp_path / f"{rule.id}_{kind}.py").write_text(as_file(rule, code))
    (tmp_path / "lenient.py").write_text(as_file(rules["DAG012"], MANY_LENIENT))

    first, *others = [say(tmp_path, seed, "read") for seed in SEEDS]

    assert len({finding["rule"] for finding in first}) > 60
    assert [other == first for other in others] == [True] * len(others)


@pytest.mark.slow
def test_a_file_that_goes_through_a_set_is_loaded_in_the_same_words(tmp_path: Path) -> None:
    good, broken = FROM_A_SET.split('with DAG("broken"')
    (tmp_path / "good.py").write_text(good)
    (tmp_path / "broken.py").write_text(good.splitlines()[0] + '\nwith DAG("broken"' + broken)

    one, two = say(tmp_path, "1", "load"), say(tmp_path, "3", "load")

    assert {"DAG001", "DAG201"} <= {finding["rule"] for finding in one}
    assert one == two
