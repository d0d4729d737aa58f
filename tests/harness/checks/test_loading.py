from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.checks.config import Settings
from harness.checks.load import Loader
from harness.checks.project import Loaded
from harness.checks.registry import Registry
from harness.checks.run import Request, check, examined
from harness.cli.main import main
from tests.harness.checks.examples import as_file, marked

pytestmark = pytest.mark.slow

GOOD = """
from airflow.sdk import DAG, task
from helpers.names import NAME
with DAG(NAME, schedule="@daily", catchup=False):
    @task(retries=2)
    def load():
        print("loading")
    for number in range(3):
        load.override(task_id=f"load_{number}")()
"""

OFFENDERS = {
    "hangs": ("while True:\n    pass", "timeout"),
    "sleeps_in_c": ("import ctypes\nctypes.CDLL(None).sleep(60)", "timeout"),
    "exits": ("import sys\nsys.exit(0)", "exit"),
    "leaves": ("import os\nos._exit(0)", "exit"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "killed"),
    "eats": ("numbers = [0] * 500_000_000", "memory"),
    "prints": ("print('x' * 5_000_000)", None),
    "forks": ("import os\nos.fork()", None),
    "raises": ("raise ValueError('no')", None),
    "raises_lines": ("raise TypeError('these are wrong:\\n  owners: \\n  ' + repr(object()))", None),
    "misses": ("from json import nothing", None),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Loaded]:
    root = tmp_path_factory.mktemp("project")
    (root / "helpers").mkdir()
    (root / "helpers" / "names.py").write_text("import json\nNAME = json.loads('\"good\"')\n")
    (root / "query.sql").write_text("select 1\n")
    for name, (code, _) in OFFENDERS.items():
        (root / f"{name}.py").write_text(
            f"from airflow.sdk import DAG\n{code}\nwith DAG('{name}', schedule=None): pass\n"
        )
    (root / "good.py").write_text(GOOD)
    reads = "from pathlib import Path\nfrom airflow.sdk import DAG\n"
    reads += "import importlib\nimportlib.import_module('helpers.names')\n"
    (root / "reads.py").write_text(reads + "Path(__file__).with_name('query.sql').read_text()\n")
    effects = "import socket, subprocess\nfrom airflow.sdk import DAG\nsubprocess.run(['true'])\n"
    effects += "try:\n    socket.create_connection(('127.0.0.1', 9), 0.1)\nexcept OSError:\n    pass\n"
    (root / "acts.py").write_text(effects + "(open(__file__ + '.txt', 'w')).close()\n")
    paths = [str(path) for path in sorted(root.glob("*.py"))]
    loader = Loader([root], Settings(load_seconds=5, memory_mb=700))
    found = loader.load(paths)
    return {Path(path).stem: outcome for path, outcome in found.items()} | {"inputs": loader.inputs}  # type: ignore[dict-item]


@pytest.mark.parametrize(("name", "ended"), [(name, ended) for name, (_, ended) in OFFENDERS.items()])
def test_a_file_that_misbehaves_is_an_outcome_of_its_own(outcomes: dict[str, Loaded], name: str, ended: str) -> None:
    assert outcomes[name].ended == ended


def test_a_file_that_hangs_is_blamed_at_the_line_it_hangs_in(outcomes: dict[str, Loaded]) -> None:
    assert outcomes["hangs"].line in (2, 3)
    assert outcomes["crashes"].line == 3
    assert outcomes["exits"].line == 3


def test_what_a_file_raises_is_its_error_with_its_line(outcomes: dict[str, Loaded]) -> None:
    assert outcomes["raises"].error == "ValueError: no"
    assert outcomes["raises"].line == 2


def test_an_error_is_told_in_one_line_that_is_the_same_everywhere(outcomes: dict[str, Loaded]) -> None:
    wrong, missing = outcomes["raises_lines"].error, outcomes["misses"].error
    assert wrong == "TypeError: these are wrong: owners: <object object at 0x...>"
    assert missing == "ImportError: cannot import name 'nothing' from 'json'"


def test_a_good_file_among_bad_ones_is_loaded_whole(outcomes: dict[str, Loaded]) -> None:
    (dag,) = outcomes["good"].dags
    assert dag.dag_id == "good"
    assert [task.task_id for task in dag.tasks] == ["load_0", "load_1", "load_2"]
    assert {task.line for task in dag.tasks} == {9}
    assert {task.retries for task in dag.tasks} == {2}
    assert dag.zero_width is True


def test_the_inputs_of_a_file_are_its_modules_and_what_it_opens(outcomes: dict[str, Loaded]) -> None:
    inputs = {Path(path).stem: {Path(name).name for name in names} for path, names in outcomes["inputs"].items()}  # type: ignore[attr-defined]
    assert inputs["good"] >= {"names.py"}
    assert inputs["reads"] == {"names.py", "query.sql"}


def test_what_a_file_does_besides_is_seen_with_its_line(outcomes: dict[str, Loaded]) -> None:
    effects = {(kind, line) for kind, _, line in outcomes["acts"].effects}
    assert effects == {("process", 3), ("network", 5), ("write", 8)}
    assert ("fork", "", 3) in outcomes["forks"].effects


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[str, Path]]:
    """All examples of the rules that look at graphs, as files."""
    folder = tmp_path_factory.mktemp("examples")
    files = {}
    for rule in Registry.load().rules.values():
        if rule.scope in ("dag", "task") and rule.family != "policy" and rule.id not in ("DAG005", "DAG107"):
            for kind in ("bad", "good", "tricky"):
                text = as_file(rule, getattr(rule.page, kind))
                path = folder / f"{rule.id}_{kind}.py"
                path.write_text(text)
                files[rule.id, kind] = (text, path)
    return files


def test_rules_about_graphs_say_the_same_when_airflow_has_loaded_them(
    examples: dict[tuple[str, str], tuple[str, Path]],
) -> None:
    folder = next(iter(examples.values()))[1].parent
    settings = Settings(select=("DAG001", *(rule_id for rule_id, kind in examples if kind == "bad")))
    _, judged = examined((folder,), settings, cache=False)
    found = judged.findings
    assert [f.message for f in found if f.rule == "DAG001"] == []
    lines = {
        (rule_id, kind): sorted({f.line for f in found if f.rule == rule_id and f.path == str(path)})
        for (rule_id, kind), (_, path) in examples.items()
    }
    assert lines == {key: marked(text) for key, (text, _) in examples.items()}


def test_a_folder_of_offenders_and_one_good_dag_is_judged_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offenders = {name: OFFENDERS[name][0] for name in ("hangs", "exits", "crashes")}
    offenders["eats"] = "numbers = [1] * 500_000_000  # 4 GB"
    (tmp_path / "dags").mkdir()
    for name, code in offenders.items():
        head = "from airflow.sdk import DAG\n"
        (tmp_path / "dags" / f"{name}.py").write_text(f"{head}{code}\nwith DAG('{name}', schedule=None): pass\n")
    good = "import requests\nfrom airflow.sdk import DAG, task\nwith DAG('good', schedule=None):\n    @task\n"
    good += "    def load():\n        return requests.get('https://example.com').json()\n    load()\n"
    (tmp_path / "dags" / "good.py").write_text(good)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.harness.check]\nload-seconds = 5\nselect = ['DAG0', 'request-without-timeout']\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--json", "--no-cache"]) == 1
    report = json.loads(capsys.readouterr().out)
    found = {Path(one["path"]).stem: (one["rule"], one["line"]) for one in report["findings"]}
    assert found == {
        "hangs": ("DAG002", found["hangs"][1]),
        "exits": ("DAG003", 3),
        "crashes": ("DAG003", 3),
        "eats": ("DAG003", 2),
        "good": ("DAG208", 6),
    }
    assert found["hangs"][1] in (2, 3)


def test_a_cycle_is_an_import_error(tmp_path: Path) -> None:
    file = tmp_path / "cycle.py"
    rule = Registry.load().get("DAG005")
    file.write_text(as_file(rule, rule.page.bad))
    found = check(Request((tmp_path,), Settings(select=("DAG0",)), cache=False)).findings
    assert {(f.rule, f.message.partition(":")[0]) for f in found} >= {("DAG001", "AirflowDagCycleException")}


def test_a_relative_path_in_a_file_means_the_project_as_in_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "day.sql").write_text("select 1")
    (tmp_path / "dags" / "relative.py").write_text(
        "from airflow.sdk import DAG\n"
        "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator\n"
        "with DAG('relative', schedule=None, template_searchpath='sql', doc_md=open('sql/day.sql').read()):\n"
        "    SQLExecuteQueryOperator(task_id='load', conn_id='db', sql='day.sql')\n"
    )
    monkeypatch.chdir(tmp_path)
    _, judged = examined((Path("dags"),), Settings(select=("DAG001", "DAG031")), cache=False)
    assert judged.findings == []
