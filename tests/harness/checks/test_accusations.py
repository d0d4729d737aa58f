"""Code that looks like a defect and is none: what the rules must not say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.checks.config import Settings
from harness.checks.model import Finding
from harness.checks.run import examined

HEAD = """\
from datetime import datetime, timedelta
import requests
from airflow.sdk import DAG, Asset, asset, dag, task
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLBranchOperator, HITLOperator
"""


def found(folder: Path, code: str, *select: str, load: bool = False) -> list[Finding]:
    """Return what these rules say of a DAG file."""
    (folder / "it.py").write_text(HEAD + code)
    _, judged = examined((folder,), Settings(select=select), load=load, cache=False)
    return judged.findings


RETRIED = {
    "the same call again": """
        try:
            send(rows)
        except Exception:
            send(rows[:10])
""",
    "one of several attempts": """
        for attempt in range(3):
            try:
                send(rows)
                break
            except Exception as error:
                print(error)
        else:
            raise RuntimeError("gave up")
""",
    "an attempt until it succeeds": """
        while True:
            try:
                return send(rows)
            except Exception as error:
                print(error)
""",
    "a look at what came of it": """
        answer = None
        try:
            answer = send(rows)
        except Exception as error:
            print(error)
        if answer is None:
            raise RuntimeError("no answer")
""",
    "an answer either way": """
        try:
            if send(rows):
                return True
        except Exception:
            pass
        return False
""",
    "its author's word": """
        try:
            send(rows)
        except Exception:  # noqa: BLE001 - an index makes it faster, no more
            pass
""",
    "cleaning up": """
        try:
            rows.close()
            print("closed")
        except Exception:
            print("was closed")
""",
}
SWALLOWED = {
    "an attempt of several without an end": """
        for attempt in range(3):
            try:
                send(rows)
                break
            except Exception as error:
                print(error)
""",
    "talk on both sides": """
        try:
            print("sending")
            send(rows)
        except Exception:
            print("failed")
""",
    "work beside cleaning up": """
        try:
            send(rows)
            rows.close()
        except Exception:
            print("was closed")
""",
}
TASK = """\
def send(rows):
    return requests.post("https://example.com", json=rows, timeout=3)
with DAG("orders", schedule=None):
    @task
    def load(rows):
{body}
    load([1])
"""


@pytest.mark.parametrize("body", RETRIED.values(), ids=RETRIED)
def test_a_handler_that_tries_again_or_looks_again_swallows_nothing(tmp_path: Path, body: str) -> None:
    assert found(tmp_path, TASK.format(body=body), "DAG207") == []


@pytest.mark.parametrize("body", SWALLOWED.values(), ids=SWALLOWED)
def test_a_handler_that_only_seems_to_recover_is_found(tmp_path: Path, body: str) -> None:
    assert len(found(tmp_path, TASK.format(body=body), "DAG207")) == 1


STORES = {
    "the refusal is caught": (
        """
        try:
            S3Hook("lake").load_string("x", key="orders", bucket_name="landing")
        except ValueError:
            print("it is there already")
""",
        0,
    ),
    "the key is looked for": (
        """
        hook = S3Hook("lake")
        if not hook.check_for_key("orders", "landing"):
            hook.load_string("x", key="orders", bucket_name="landing")
""",
        0,
    ),
    "the refusal is caught and raised again": (
        """
        try:
            S3Hook("lake").load_string("x", key="orders", bucket_name="landing")
        except ValueError as error:
            raise RuntimeError("no") from error
""",
        1,
    ),
    "another error is caught": (
        """
        try:
            S3Hook("lake").load_string("x", key="orders", bucket_name="landing")
        except KeyError:
            print("no key")
""",
        1,
    ),
}


@pytest.mark.parametrize(("body", "number"), STORES.values(), ids=STORES)
def test_an_object_that_may_exist_is_expected_or_not(tmp_path: Path, body: str, number: int) -> None:
    assert len(found(tmp_path, TASK.format(body=body), "DAG310")) == number


ASSET = """\
@asset(schedule="@daily")
def prices():
    return [1]
"""
TWICE = """\
def forgotten():
    DAG("{name}", schedule="@daily")
@dag(schedule=None)
def {name}():
    EmptyOperator(task_id="load")
{call}
with DAG("{name}", schedule=None) as made:
    EmptyOperator(task_id="load")
"""
ASKED = """\
with DAG("asked", schedule=None, default_args={"retries": 1, "execution_timeout": None}):
    common = {"subject": "go?"}
    hour = timedelta(hours=1)
    ApprovalOperator(task_id="default_in_time", defaults="Reject", response_timeout=hour, retries=0, **common)
    HITLBranchOperator(task_id="fails_in_time", options=["a"], response_timeout=hour, **common)
    ApprovalOperator(task_id="no_time", **common)
    HITLOperator(task_id="idle_default", options=["a", "b"], defaults=["a"], **common)
"""
ARMS = """\
with DAG("{rule}", schedule=None):
    @task.branch
    def choose(n=0):
        return ["old", "new"][n]
    old = BashOperator(task_id="old", bash_command="old")
    new = BashOperator(task_id="new", bash_command="new")
    join = BashOperator(task_id="join", bash_command="join", trigger_rule="{rule}")
    choose() >> [old, new] >> join
"""
MAPPED = """\
with DAG("mapped", schedule=None):
    @task
    def fetch():
        return [1, 2]
    @task
    def load(one):
        return one
    @task(trigger_rule="none_skipped")
    def analyze(one):
        return one
    fetched = fetch()
    load.expand(one=fetched) >> analyze.expand(one=fetched)
"""
FILES = {
    "asset": ASSET,
    "made_once": TWICE.format(name="once", call=""),
    "made_twice": TWICE.format(name="twice", call="twice()"),
    "asked": ASKED,
    "one_success": ARMS.format(rule="one_success"),
    "all_done": ARMS.format(rule="all_done"),
}
Ask = Callable[[str, str], list[Finding]]


@pytest.fixture(scope="module", params=["read", pytest.param("loaded", marks=pytest.mark.slow)])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return a function that says what rules find in one of the files."""
    folder = tmp_path_factory.mktemp("files")
    for name, code in FILES.items():
        (folder / f"{name}.py").write_text(HEAD + code)
    _, judged = examined((folder,), load=request.param == "loaded", cache=False)

    def of(name: str, rules: str) -> list[Finding]:
        return [f for f in judged.findings if Path(f.path).stem == name and f.rule.startswith(rules)]

    return of


def test_an_asset_gets_no_hint_that_it_cannot_take(ask: Ask) -> None:
    assert ask("asset", "DAG1") == []
    assert all("@task(outlets=[Asset(...)])" in finding.hint for finding in ask("asset", "DAG2"))


@pytest.mark.slow
def test_an_assets_task_is_still_found_to_have_no_retries_and_no_timeout(tmp_path: Path) -> None:
    findings = found(tmp_path, ASSET, "DAG2", load=True)
    assert [finding.rule for finding in findings] == ["DAG201", "DAG202"]
    assert all("@task(outlets=[Asset(...)])" in finding.hint for finding in findings)


def test_a_dag_that_is_never_made_takes_no_id(ask: Ask) -> None:
    assert ask("made_once", "DAG006") == []


def test_two_dags_that_are_made_share_an_id(ask: Ask) -> None:
    (finding,) = ask("made_twice", "DAG006")
    assert (finding.line, finding.dag_id) == (len(HEAD.splitlines()) + 7, "twice")


def test_a_question_ends_when_its_time_is_over(ask: Ask) -> None:
    findings = ask("asked", "DAG2")
    assert [(f.rule, f.message.split("'")[1]) for f in findings] == [("DAG202", "no_time"), ("DAG202", "idle_default")]


def test_a_failure_in_one_arm_is_hidden_by_the_join_not_by_the_other_arm(ask: Ask) -> None:
    assert ask("one_success", "DAG012") == []
    assert len(ask("all_done", "DAG012")) == 1


@pytest.mark.slow
def test_a_task_that_cannot_be_expanded_hides_nothing(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, MAPPED, "DAG012", load=True)
    assert finding.message.startswith("a failure of 'load' is hidden")


def test_a_secret_of_kubernetes_is_named_and_not_told(tmp_path: Path) -> None:
    code = """
from airflow.providers.cncf.kubernetes.secret import Secret
NAMED = Secret(deploy_type="env", deploy_target="PASSWORD", secret="postgres-secrets", key="password")
TOLD = dict(secret="hunter2-of-prod")
"""
    (finding,) = found(tmp_path, code, "DAG501")
    assert finding.line == len(HEAD.splitlines()) + 4


def test_a_copy_into_a_table_that_is_emptied_first_adds_nothing(tmp_path: Path) -> None:
    code = """
@task
def load(cursor):
    cursor.execute("DELETE FROM cims")
    cursor.execute("COPY INTO cims FROM @stage/cims.csv")
    cursor.execute("COPY INTO other FROM @stage/other.csv")
"""
    (finding,) = found(tmp_path, code, "DAG304")
    assert "into other" in finding.message


def test_a_loader_that_makes_no_objects_runs_no_code(tmp_path: Path) -> None:
    code = """
import yaml
A = yaml.load("a: 1", Loader=yaml.FullLoader)
B = yaml.load("a: 1", Loader=yaml.UnsafeLoader)
"""
    (finding,) = found(tmp_path, code, "DAG507")
    assert finding.line == len(HEAD.splitlines()) + 4


def test_the_hint_at_a_hidden_failure_says_what_a_teardown_costs(tmp_path: Path) -> None:
    code = """
with DAG("orders", schedule=None):
    load = BashOperator(task_id="load", bash_command="load")
    load >> BashOperator(task_id="notify", bash_command="notify", trigger_rule="all_done")
"""
    (finding,) = found(tmp_path, code, "DAG012")
    assert "on_failure_fail_dagrun=True" in finding.hint
