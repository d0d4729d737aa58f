from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from harness.cli.main import main
from harness.environment import Environment
from harness.errors import ConfigError
from harness.gate.collect import unit
from harness.gate.overview import standings
from harness.gate.promote import Ask, gate
from harness.gate.shard import Shard
from harness.gate.work import Step
from harness.models.gate import GateReport

from .conftest import commit

pytestmark = pytest.mark.slow

DAG = '''
"""One word into the drawer."""
from datetime import timedelta

import pendulum
from airflow.sdk import Variable, dag, task

DEFAULTS = {"owner": "team", "retries": 1, "execution_timeout": timedelta(minutes=5)}

@task
def put():
    from jobs.drawer import keep
    from jobs.NAME import word
    return keep("NAME", word(Variable.get("region")))

@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, default_args=DEFAULTS,
     max_active_runs=1, tags=["toy"], doc_md=__doc__)
def NAME():
    put()

NAME()
'''
DRAWER = """
import os, socket

def keep(key, word):
    host, port = os.environ.get("TOY", "").split(":")
    with socket.create_connection((host, int(port))) as drawer:
        drawer.sendall(f"put {os.environ.get('TOY_PREFIX', '')}{key} {word}\\n".encode())
        drawer.makefile().read()
    return word
"""
STAGE = """
stage: {stage}
plugins: [toy]
services:
  toy: {{keys: [greeting]}}
airflow:
  variables: {{region: eu-west-1}}
dags:
  first: {{dates: {{from: 2026-01-01, to: 2026-01-01}}}}
  second: {{dates: {{from: 2026-01-01, to: 2026-01-01}}}}
gate:
  requires: {requires}
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two small DAGs on one light service, in a git repository."""
    root = tmp_path / "toy"
    for name in ("first", "second"):
        write(root / "dags" / f"{name}.py", DAG.replace("NAME", name))
        write(root / "jobs" / f"{name}.py", "from jobs.shared import shout\ndef word(region): return shout(region)\n")
    write(root / "jobs" / "__init__.py", "")
    write(root / "jobs" / "drawer.py", DRAWER)
    write(root / "jobs" / "shared.py", "def shout(text): return text.upper()\n")
    write(root / "tests" / "unit" / "test_words.py", "def test_shout(): assert 'a'.upper() == 'A'\n")
    write(root / "environments" / "test.yaml", STAGE.format(stage="test", requires="[integrity, unit, runs, drift]"))
    acc = STAGE.format(stage="acc", requires="[integrity, drift]") + "  after: test\n"
    write(root / "environments" / "acc.yaml", acc + "  approvals: {names: [ann]}\n")
    write(root / ".gitignore", ".harness/\n__pycache__/\n")
    shutil.copy(Path(__file__).parents[1] / "toy.py", root / "toy.py")
    monkeypatch.syspath_prepend(str(root))
    commit(root)
    monkeypatch.chdir(root)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def enter(stage: str, **how: object) -> tuple[GateReport, list[Step]]:
    steps: list[Step] = []
    ask = Ask(Environment.load(stage), Path("dags"), **how)  # type: ignore[arg-type]
    return gate(ask, steps.append), steps


def run_again(steps: list[Step]) -> list[str]:
    return [one.subject for one in steps if one.requirement == "runs" and one.subject and one.state == "pass"]


def test_a_policy_that_names_a_dag_which_is_not_there_is_told_before_anything_is_collected(toy: Path) -> None:
    path = toy / "environments" / "test.yaml"
    write(path, path.read_text() + "  runs: [second, frist]\n")
    with pytest.raises(ConfigError, match="there is no DAG 'frist'") as told:
        enter("test")
    assert (told.value.path, told.value.line) == ("environments/test.yaml", 13)
    assert told.value.hint == "did you mean 'first'?"


def test_two_stages_are_entered_one_after_the_other_and_only_what_changed_is_run_again(toy: Path) -> None:
    before, _ = enter("acc")
    assert "after test: evidence: there is none; collect it with `harness gate --to test`" in before.reasons

    first, steps = enter("test")
    assert (first.verdict, first.reasons) == ("pass", ())
    assert run_again(steps) == ["first", "second"]
    assert {one.requirement: one.checked for one in first.collected}["unit"] == 1

    unapproved, _ = enter("acc")
    assert [one.requirement for one in unapproved.refusals] == ["approval"]
    approved, _ = enter("acc", approver="ann", reason="looked at it")
    assert approved.passed, approved.reasons
    assert "the approval of ann is unauthenticated: no listed key has signed it" in approved.notes

    _, steps = enter("test")
    assert run_again(steps) == []
    assert [(one.stage, one.failed, one.approved_by) for one in standings(Path("environments"))] == [
        ("test", (), ""),
        ("acc", (), "ann"),
    ]

    (toy / "jobs" / "second.py").write_text("def word(region): return region\n")
    stale, _ = enter("acc")
    assert any("jobs/second.py: changed" in reason for reason in stale.reasons)
    commit(toy)
    again, steps = enter("test")
    assert again.passed, again.reasons
    assert run_again(steps) == ["second"]

    (toy / "jobs" / "shared.py").write_text("def shout(text): return text\n")
    again, steps = enter("test")
    assert again.passed, again.reasons
    assert run_again(steps) == ["first"]


def test_evidence_that_took_hours_is_not_from_the_future(toy: Path) -> None:
    write(toy / "environments" / "test.yaml", STAGE.format(stage="test", requires="[integrity]"))
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        ask = Ask(Environment.load("test"), Path("dags"))
        report = gate(ask, lambda step: clock.shift(3 * 3600 if step.state == "pass" else 0))

    assert report.passed, report.reasons


def test_shards_collect_their_part_and_the_merged_evidence_opens_the_stage(toy: Path) -> None:
    shards = []
    for number, dag_id in ((1, "first"), (2, "second")):
        report, steps = enter("test", shard=Shard(number, 2))
        assert report.passed, report.reasons
        assert run_again(steps) == [dag_id]
        assert {one.requirement for one in report.collected} >= {"runs"}
        assert ("unit" in {one.requirement for one in report.collected}) == (number == 1)
        # each machine of a matrix begins with a folder of its own
        shards.append(shutil.move(toy / str(report.evidence), toy / ".harness" / f"shard-{number}.dsse.json"))

    assert main(["evidence", "merge", *map(str, shards)]) == 0
    whole, steps = enter("test")
    assert whole.passed, whole.reasons
    assert whole.notes[0] == "nothing has changed since this evidence was made"
    assert run_again(steps) == []
    assert [(dag.dag_id, dag.verdict) for dag in whole.dags] == [("first", "pass"), ("second", "pass")]


def test_a_failing_dag_and_a_failing_test_are_refused_by_name(toy: Path) -> None:
    (toy / "jobs" / "first.py").write_text("def word(region): raise ValueError('no word')\n")
    (toy / "tests" / "unit" / "test_words.py").write_text("def test_shout(): assert False\n")
    report, _ = enter("test")
    assert report.verdict == "fail"
    assert any(one.requirement == "runs" and one.subject == "first" for one in report.refusals)
    assert any("test_shout failed" in reason for reason in report.reasons)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "\nimport airflow.providers.snowflake\n",
            "tests/unit/test_words.py cannot be collected: tests/unit/test_words.py:2: ModuleNotFoundError: No module "
            "named 'airflow.providers.snowflake'; pip install apache-airflow-providers-snowflake",
        ),
        (
            "def test_shout():\n    assert (\n",
            "tests/unit/test_words.py cannot be collected: tests/unit/test_words.py:2: SyntaxError: '(' was never "
            "closed",
        ),
        (
            "import pytest\n@pytest.fixture\ndef words(): raise OSError('gone')\ndef test_shout(words): pass\n",
            'tests.unit.test_words::test_shout failed: failed on setup with "OSError: gone"',
        ),
        (
            "def test_shout(): assert 'a' == 'A'\n",
            "tests.unit.test_words::test_shout failed: AssertionError: assert 'a' == 'A'",
        ),
    ],
    ids=["import", "syntax", "fixture", "assertion"],
)
def test_a_test_that_fails_is_named_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path / "tests" / "unit" / "test_words.py", text)
    found = unit(tmp_path, ["tests/unit"], 60)
    assert (found.outcome, found.failed, found.reasons) == ("fail", 1, (said,))


def test_a_connection_that_a_stage_lacks_is_named_with_its_use(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dag = toy / "dags" / "first.py"
    dag.write_text(
        dag.read_text().replace("put()\n\nfirst", 'put(conn_id="drawer")\n\nfirst').replace("put():", "put(conn_id):")
    )
    file = toy / "environments" / "test.yaml"
    file.write_text(file.read_text().replace("airflow:\n", "airflow:\n  connections: {drawer: {service: toy}}\n"))

    code = main(["diff", "test", "acc", "--json"])

    said = json.loads(capsys.readouterr().out)
    line = next(n for n, text in enumerate(dag.read_text().splitlines(), 1) if '"drawer"' in text)
    assert code == 1
    assert said["reasons"] == [f"connection drawer: missing; used at dags/first.py:{line}"]
    report, _ = enter("acc", approver="ann", reason="try")
    assert any(one.startswith("drift: connection drawer: missing") for one in report.reasons)


def test_a_dry_run_says_what_would_be_collected_and_collects_nothing(toy: Path) -> None:
    report, steps = enter("test", dry_run=True)
    assert report.verdict == "fail"
    assert report.todo == ("integrity", "drift", "unit", "run first", "run second")
    assert run_again(steps) == []
    assert not (toy / ".harness" / "evidence").exists()


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--to", "dev"], 4, "dev requires nothing"),
        (["--to", "nowhere"], 2, "nowhere"),
        (["--to", "acc", "--approve", "ann"], 2, "an approval is a name and a reason"),
        (["--to", "test", "--dags", "elsewhere"], 2, "there is no elsewhere"),
        (["--to", "test", "--shard", "4/3"], 2, "'4/3' is no shard"),
        (["--to", "test", "--shard", "3/3"], 2, "there is no DAG for shard 3: test has 2 to run"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    toy: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, expected: str
) -> None:
    write(toy / "environments" / "dev.yaml", "stage: dev\n")
    assert main(["gate", *words]) == code
    assert expected in capsys.readouterr().err


def test_properties_are_proved_and_an_undecided_one_refuses(toy: Path) -> None:
    rules = "[proofs]\n  runs: [first]\n  proofs: [rerun, empty]"
    write(toy / "environments" / "test.yaml", STAGE.format(stage="test", requires=rules))

    report, _ = enter("test")

    (dag,) = report.dags
    proved = {one.property: one.outcome for one in dag.proofs}
    assert set(proved) == {"rerun", "empty"}
    refused = {name for name, outcome in proved.items() if outcome in ("refuted", "undecided")}
    assert {reason.split()[2] for reason in report.reasons if reason.startswith("proofs: first:")} == refused
    assert "undecided" in proved.values()


def test_a_refuted_property_is_refused_with_the_way_to_it_and_what_differs(toy: Path) -> None:
    hiding = DAG.replace(
        "    put()\n", '    put() >> task(trigger_rule="all_done")(lambda: None).override(task_id="end")()\n'
    )
    write(toy / "dags" / "first.py", hiding.replace("NAME", "first"))
    rules = "[proofs]\n  runs: [first]\n  proofs: [masked]"
    write(toy / "environments" / "test.yaml", STAGE.format(stage="test", requires=rules))

    report, _ = enter("test")

    (one,) = report.dags[0].proofs
    assert one.outcome == "refuted"
    assert any("put fails" in step for step in one.scenario), one.scenario
    assert one.differences
    refusal = f"proofs: first: masked is refuted: {one.reason}: {one.differences[0]}"
    assert refusal in report.reasons


def test_properties_are_proved_in_the_environment_that_the_policy_names(toy: Path) -> None:
    rules = "[runs, proofs]\n  runs: [first]\n  proofs: [rerun]\n  proofs_in: dev"
    write(toy / "environments" / "test.yaml", STAGE.format(stage="test", requires=rules))
    write(toy / "environments" / "dev.yaml", STAGE.format(stage="dev", requires="[]"))

    report, steps = enter("test")

    assert report.passed, report.reasons
    assert run_again(steps) == ["first"]
    assert [(one.property, one.outcome) for one in report.dags[0].proofs] == [("rerun", "holds")]
    assert "proofs: made in dev; 0 skipped with a reason, 0 unchanged" in report.notes

    text = (toy / "environments" / "dev.yaml").read_text()
    (toy / "environments" / "dev.yaml").write_text(text.replace("2026-01-01}", "2026-01-02}"))
    refused = gate(Ask(Environment.load("test"), Path("dags"), dry_run=True))
    assert any("environment dev: changed since the evidence was made" in reason for reason in refused.reasons)
    assert refused.todo == ("prove first",)

    write(toy / "environments" / "dev.yaml", text)
    words = STAGE.format(stage="test", requires=rules).replace("eu-west-1", "eu-west-2")
    write(toy / "environments" / "test.yaml", words)
    report, steps = enter("test")

    assert report.passed, report.reasons
    assert run_again(steps) == ["first"]
    assert "proofs: made in dev; 0 skipped with a reason, 1 unchanged" in report.notes


def test_proofs_are_taken_over_where_nothing_is_run(toy: Path) -> None:
    rules = "[proofs]\n  runs: [first]\n  proofs: [rerun]"
    write(toy / "environments" / "test.yaml", STAGE.format(stage="test", requires=rules))
    enter("test")
    write(toy / "README.md", "of another commit\n")
    commit(toy)

    report, steps = enter("test")

    assert report.passed, report.reasons
    assert [one.detail for one in steps if one.state == "holds"] == []
    assert [(one.property, one.reused is not None) for one in report.dags[0].proofs] == [("rerun", True)]


def test_interrupted_proofs_go_on_where_they_were(toy: Path) -> None:
    rules = "[runs, proofs]\n  runs: [first]\n  proofs: [rerun, masked]"
    write(toy / "environments" / "test.yaml", STAGE.format(stage="test", requires=rules))

    def interrupt(step: Step) -> None:
        if step.requirement == "proofs" and step.detail.startswith("masked"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gate(Ask(Environment.load("test"), Path("dags")), interrupt)
    interrupted = standings(Path("environments"))[-1]
    report, steps = enter("test")

    assert (interrupted.stage, interrupted.failed) == ("test", ("runs", "proofs"))

    assert report.passed, report.reasons
    assert run_again(steps) == []
    told = {one.detail.partition(":")[0] for one in steps if one.requirement == "proofs" and one.subject == "first"}
    assert told >= {"masked"}
    assert "rerun" not in told
    (held,) = [one.detail for one in steps if one.state == "holds"]
    assert held.startswith("masked: no task's failure is hidden: 1 scenario, judged by 1 changed output")
    assert {one.property for one in report.dags[0].proofs} == {"rerun", "masked"}
