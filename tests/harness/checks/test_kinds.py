"""Defects that only other files, the installed packages or the environment show, and their near misses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.checks.config import Settings
from harness.checks.model import Finding
from harness.checks.run import Request, check, examined
from tests.harness.checks.examples import ENVIRONMENT

HEAD = """\
from datetime import timedelta
from pathlib import Path
from airflow.sdk import DAG, dag, task, task_group
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator, PythonVirtualenvOperator
"""

TEMPLATES = """\
INCLUDE = Path(__file__).resolve().parents[1] / "include"
with DAG("with_path", schedule=None, template_searchpath=[str(INCLUDE)]):
    SQLExecuteQueryOperator(task_id="there", conn_id="db", sql="sql/daily.sql", params={"n": 3})
    SQLExecuteQueryOperator(task_id="beside", conn_id="db", sql=["beside.sql", "select 1"])
    SQLExecuteQueryOperator(task_id="typing_error", conn_id="db", sql="sql/dayly.sql")
    SQLExecuteQueryOperator(task_id="in_a_list", conn_id="db", sql=["select 1", "sql/daly.sql"])
    SQLExecuteQueryOperator(task_id="includes", conn_id="db", sql="sql/broken.sql")
    SQLExecuteQueryOperator.partial(task_id="mapped", conn_id="db").expand(sql=["sql/daily.sql", "sql/weekly.sql"])
with DAG("without_path", schedule=None):
    SQLExecuteQueryOperator(task_id="absolute", conn_id="db", sql=str(INCLUDE / "sql" / "header.sql"))
    SQLExecuteQueryOperator(task_id="up", conn_id="db", sql="../include/sql/header.sql")
    BashOperator(task_id="script", bash_command="/opt/load.sh")
    BashOperator(task_id="command", bash_command="/opt/load.sh ")
    BashOperator(task_id="nested", bash_command="true", env={"SCRIPT": "work.sh"})
"""


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    """Return what is found of template files, by task."""
    project = tmp_path_factory.mktemp("templates")
    (project / "dags").mkdir()
    (project / "include" / "sql").mkdir(parents=True)
    (project / "dags" / "it.py").write_text(HEAD + TEMPLATES)
    (project / "dags" / "beside.sql").write_text("select 1")
    (project / "include" / "sql" / "header.sql").write_text("-- {{ ds }}")
    (project / "include" / "sql" / "daily.sql").write_text('{% include "sql/header.sql" %}\nselect {{ params.n }}')
    (project / "include" / "sql" / "broken.sql").write_text('{% include "sql/heade.sql" %}\nselect 1')
    _, judged = examined((project / "dags",), Settings(select=("DAG031",)), cache=False)
    return {finding.message.split("'")[1]: finding for finding in judged.findings}


@pytest.mark.slow
def test_template_files_that_are_nowhere_are_found_as_airflow_looks_for_them(lost: dict[str, Finding]) -> None:
    assert set(lost) == {"typing_error", "in_a_list", "includes", "mapped", "absolute", "up", "script", "nested"}


@pytest.mark.slow
def test_the_hint_at_a_template_file_says_what_to_write(lost: dict[str, Finding]) -> None:
    assert lost["typing_error"].hint == "did you mean 'sql/daily.sql'?"
    assert lost["includes"].hint == "did you mean 'sql/header.sql'?"
    assert "template_searchpath" in lost["absolute"].hint
    assert "a space after the name" in lost["script"].hint


@pytest.mark.slow
def test_a_template_file_that_appears_is_seen_by_the_next_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "dags").mkdir()
    code = 'with DAG("a", schedule=None):\n    BashOperator(task_id="a", bash_command="work.sh")\n'
    (tmp_path / "dags" / "it.py").write_text(HEAD + code)
    request = Request((tmp_path / "dags",), Settings(select=("DAG031",)))

    before = check(request)
    (tmp_path / "dags" / "work.sh").write_text("true")
    after = check(request)

    assert [len(report.findings) for report in (before, after)] == [1, 0]


Found = Callable[..., list[tuple[str, int]]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Return rules and lines (without the imports) that are found in code whose DAG file is only read."""

    def look(code: str, *select: str, **others: str) -> list[tuple[str, int]]:
        (tmp_path / "it.py").write_text(HEAD + code)
        for name, text in others.items():
            (tmp_path / f"{name}.py").write_text(text)
        _, judged = examined((tmp_path,), Settings(select=select), load=False, cache=False, environment=ENVIRONMENT)
        shift = len(HEAD.splitlines())
        return [(finding.rule, finding.line - shift) for finding in judged.findings]

    return look


RESULTS = {
    "a value that is none": "size = None\nif wide:\n    size = count()\nif size is not None:\n    print()",
    "a name of two meanings": "size = 3\nif wide:\n    size = count()\nif size:\n    EmptyOperator(task_id='b')",
    "an operator": "size = EmptyOperator(task_id='c')\nif size:\n    EmptyOperator(task_id='b')",
    "an argument": "print(count() or 3)",
}


@pytest.mark.parametrize("body", RESULTS.values(), ids=RESULTS)
def test_a_condition_that_asks_no_result_is_left_alone(found: Found, body: str) -> None:
    inside = "\n".join(f"    {line}" for line in body.splitlines())
    code = f"wide = True\n@task\ndef count():\n    return 3\nwith DAG('a', schedule=None):\n{inside}\n"
    assert found(code, "DAG026") == []


def test_a_part_of_a_result_and_an_operators_output_are_results(found: Found) -> None:
    code = """\
@task
def count():
    return {"rows": 3}
with DAG("a", schedule=None):
    sized = count()
    first = BashOperator(task_id="first", bash_command="echo 1")
    if sized["rows"] > 3:
        EmptyOperator(task_id="b")
    while first.output == "1":
        break
"""
    assert found(code, "DAG026") == [("DAG026", 7), ("DAG026", 9)]


def test_a_reserved_parameter_may_be_filled_by_airflow_or_by_name(found: Found) -> None:
    code = """\
@task
def load(table, params=None, ds=None):
    print(table, params)
with DAG("a", schedule=None):
    load("orders")
    load("orders", params={"by": "name"})
    load("orders", {"by": "position"})
    PythonVirtualenvOperator(task_id="v", python_callable=load, op_args=["orders", {}])
"""
    assert found(code, "DAG027") == [("DAG027", 7)]


def test_a_task_that_is_used_in_another_way_is_not_idle(found: Found) -> None:
    code = """\
@task
def mapped(x):
    return x
@task
def handed_on():
    return 1
@task
def elsewhere():
    return 1
@task
def idle():
    return 1
def factory():
    @task
    def inner():
        return 1
    return {"inner": inner}
with DAG("a", schedule=None):
    mapped.override(task_id="m").expand(x=[1])
    for each in [handed_on]:
        each()
"""
    other = (
        "from airflow.sdk import DAG\nfrom it import elsewhere\nwith DAG('other', schedule=None):\n    elsewhere()\n"
    )
    assert found(code, "DAG028", other=other) == [("DAG028", 10)]


def test_tasks_in_a_file_without_a_dag_are_for_others(found: Found) -> None:
    assert found("@task\ndef load():\n    return 1\n", "DAG028") == []


def test_modules_that_are_elsewhere_or_not_needed_are_not_missed(found: Found) -> None:
    code = """\
@task
def local():
    import neighbour
    from airflow.providers.standard.operators.bash import BashOperator
    import xml.dom
@task
def careful():
    try:
        import nowhere_to_be_found
    except ImportError:
        return None
@task.virtualenv(requirements=["nowhere"])
def apart():
    import nowhere_to_be_found
def isolated():
    import nowhere_to_be_found
@task
def lacking():
    import neighbour, nowhere_to_be_found
    from airflow.providers.nowhere.hooks import Hook
with DAG("a", schedule=None):
    local(), careful(), apart(), lacking()
    PythonVirtualenvOperator(task_id="isolated", python_callable=isolated)
"""
    assert found(code, "DAG030", neighbour="X = 1\n") == [("DAG030", 19), ("DAG030", 20)]


def test_a_module_that_a_tasks_helper_imports_is_missed_there(tmp_path: Path) -> None:
    code = "@task\ndef load():\n    from helper import work\n    work()\nwith DAG('a', schedule=None):\n    load()\n"
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "it.py").write_text(HEAD + code)
    (tmp_path / "dags" / "helper.py").write_text("import nowhere_to_be_found\ndef work():\n    return 1\n")
    _, judged = examined((tmp_path / "dags",), Settings(select=("DAG030",)), load=False, cache=False)
    assert [(Path(f.path).name, f.line) for f in judged.findings] == [("helper.py", 1)]


def test_an_operator_with_a_substitute_is_not_missed(found: Found) -> None:
    code = """\
try:
    from airflow.providers.nowhere import LoadOperator
except ImportError:
    from airflow.providers.standard.operators.bash import BashOperator as LoadOperator
try:
    from nowhere import SendOperator
except ImportError as error:
    raise RuntimeError("install nowhere") from error
try:
    from nowhere import WaitSensor
except ModuleNotFoundError:
    WaitSensor = None
with DAG("a", schedule=None):
    EmptyOperator(task_id="a")
"""
    assert found(code, "DAG029") == [("DAG029", 10)]


JOINS = """\
with DAG("a", schedule=None):
    @task.branch
    def choose(n=0):
        return "one" if n else "two"
    one, two, beside, join = (
        EmptyOperator(task_id="one"), EmptyOperator(task_id="two"), EmptyOperator(task_id="beside"),
        EmptyOperator(task_id="join"{rule}),
    )
    before = EmptyOperator(task_id="before")
    before >> choose() >> [one, two]
    {edges}
"""


@pytest.mark.parametrize(
    ("edges", "rule", "rules"),
    [
        ("one >> join", "", []),
        ("[one, before] >> join", "", []),
        ("[one, beside] >> join >> EmptyOperator(task_id='end')", "", []),
        ("[one, beside] >> join; two >> join", ", trigger_rule='none_failed_min_one_success'", []),
        (
            "one >> beside >> join; two >> EmptyOperator(task_id='either', trigger_rule='none_failed') >> join",
            "",
            ["DAG032"],
        ),
        ("[one, two] >> join", "", ["DAG011"]),
        ("[one, BashOperator(task_id='load', bash_command='x')] >> join", "", ["DAG032"]),
        (
            "either = EmptyOperator(task_id='either', trigger_rule='one_success'); "
            "[one, two] >> either >> join; one >> join",
            "",
            ["DAG032"],
        ),
    ],
    ids=[
        "part of an arm",
        "what was before the branch",
        "a task beside it in the middle",
        "a lenient rule",
        "after something lenient",
        "both arms",
        "the end of the DAG, and a task beside the branch",
        "after a join",
    ],
)
def test_a_join_under_one_arm_is_told_from_an_arm(found: Found, edges: str, rule: str, rules: list[str]) -> None:
    assert [name for name, _ in found(JOINS.format(edges=edges, rule=rule), "DAG011", "DAG032")] == rules


def test_a_run_that_outlasts_its_first_retry_is_left_alone(found: Found) -> None:
    code = """\
with DAG("short", schedule=None, dagrun_timeout=timedelta(minutes=3)):
    BashOperator(task_id="quick", bash_command="x", retries=2, retry_delay=timedelta(seconds=10))
    BashOperator(task_id="once", bash_command="x", retries=0)
    BashOperator(task_id="late", bash_command="x", retries=1)
    BashOperator(task_id="unknown", bash_command="x", retries=1, retry_delay=DELAY)
"""
    assert found(code, "DAG215") == [("DAG215", 4)]


def test_the_slots_of_a_pool_are_compared_with_those_of_the_environment(found: Found) -> None:
    code = """\
with DAG("a", schedule=None):
    BashOperator(task_id="fits", bash_command="x", pool="spark", pool_slots=1)
    BashOperator(task_id="wide", bash_command="x", pool="spark", pool_slots=2)
    BashOperator(task_id="default", bash_command="x", pool_slots=128)
    BashOperator(task_id="all", bash_command="x", pool_slots=129)
    BashOperator(task_id="lost", bash_command="x", pool="nowhere", pool_slots=9)
"""
    assert found(code, "DAG803", "DAG807") == [("DAG807", 3), ("DAG807", 5), ("DAG803", 6)]
