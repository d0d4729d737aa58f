from __future__ import annotations

import stat
from pathlib import Path

import pytest

from harness.checks.config import Settings
from harness.checks.fix import Repaired, repair
from harness.checks.run import Request
from harness.cli.main import main
from harness.errors import ConfigError, NothingChecked

OLD = """\
import requests
from airflow.sdk import DAG, task
from airflow.operators.python import PythonOperator
from airflow.operators.dummy import DummyOperator

@task
def load():
    a = requests.get("https://é.example.com/orders", headers={"x": "y"})  # é
    b = requests.post(
        "https://example.com",
        json=(1),  # last
    )
    requests.Session().get(("x"))
    return a.ok, b.ok

with DAG("old", schedule_interval=None, default_view="grid"):
    load()
    PythonOperator(task_id="x", python_callable=print, provide_context=True, trigger_rule="dummy")
    DummyOperator(task_id="y")
"""
NEW = """\
import requests
from airflow.sdk import DAG, task
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.operators.empty import EmptyOperator

@task
def load():
    a = requests.get("https://é.example.com/orders", headers={"x": "y"}, timeout=30)  # é
    b = requests.post(
        "https://example.com",
        json=(1), timeout=30  # last
    )
    requests.Session().get(("x"), timeout=30)
    return a.ok, b.ok

with DAG("old", schedule=None):
    load()
    PythonOperator(task_id="x", python_callable=print, trigger_rule="always")
    EmptyOperator(task_id="y")
"""
ERRORS = ("AIR", "DAG001", "DAG023", "DAG208", "DAG6")


@pytest.fixture
def dags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the DAG folder of a project with one file in the words of Airflow 2."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "old.py").write_text(OLD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Path("dags")


def mend(folder: Path, *, write: bool = True, settings: Settings | None = None) -> list[Repaired]:
    """Repair the files of a folder."""
    return repair(Request((folder,), settings), write=write)


def test_what_is_mechanical_is_repaired_and_a_second_repair_finds_nothing(dags: Path) -> None:
    (done,) = mend(dags)
    assert (dags / "old.py").read_text(encoding="utf-8") == NEW
    assert {(one.rule, one.line) for one in done.fixed} >= {("DAG208", 8), ("DAG604", 16), ("DAG023", 18)}
    assert mend(dags) == []


@pytest.mark.slow
def test_repairing_ends_with_success_when_nothing_is_left(dags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(dags), "--fix", "--select", ",".join(ERRORS)]) == 0
    assert (dags / "old.py").read_text(encoding="utf-8") == NEW
    assert "dags/old.py:8 DAG208 repaired: requests waits for ever without a timeout" in capsys.readouterr().err


def test_what_cannot_be_repaired_still_fails(dags: Path) -> None:
    file = dags / "old.py"
    file.write_text(OLD.replace('DAG("old"', 'DAG("old days"'), encoding="utf-8")
    assert main(["check", str(dags), "--fix", "--no-load"]) == 1
    assert "timeout=30" in file.read_text(encoding="utf-8")


def test_a_diff_is_shown_and_nothing_is_written(dags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(dags), "--diff", "--no-load"]) == 1
    assert '+with DAG("old", schedule=None):' in capsys.readouterr().out
    assert (dags / "old.py").read_text(encoding="utf-8") == OLD
    (dags / "old.py").write_text(NEW, encoding="utf-8")
    assert main(["check", str(dags), "--diff", "--no-load"]) == 0


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("requests.get('x')  # harness: ignore[DAG208] it is local", Settings()),
        ("requests.get('x')", Settings(ignore={"DAG208": "a proxy ends them"})),
        ("requests.get('x')", Settings(per_path={"dags/*": {"DAG2": "these go in spring"}})),
        ("requests.get('x')", Settings(select=("DAG6",))),
        ("requests.get(*given, **more)", Settings()),
        ("requests.get(y for y in 'x')", Settings()),
    ],
    ids=["a comment", "a setting", "a path", "another selection", "unseen arguments", "an argument without brackets"],
)
def test_what_has_a_reason_or_no_safe_repair_stays(dags: Path, line: str, settings: Settings) -> None:
    code = "import requests\nfrom airflow.sdk import dag, task\n@task\ndef load(given, more):\n    "
    (dags / "old.py").write_text(f"{code}{line}\n")
    assert mend(dags, settings=settings) == []
    assert (dags / "old.py").read_text() == f"{code}{line}\n"


def test_a_name_that_only_the_repair_leaves_idle_goes_and_others_stay(dags: Path) -> None:
    code = "import json\nfrom airflow.datasets import Dataset\nfrom airflow.sdk import DAG\n\n\nDataset('a')\n"
    (dags / "old.py").write_text(code)
    (done,) = mend(dags)
    assert "airflow.datasets" not in done.after
    assert "import json" in done.after
    assert "from airflow.sdk import DAG" in done.after


def test_a_repair_that_would_repair_nothing_is_not_made(dags: Path) -> None:
    code = "import airflow\n\n\ndef make() -> airflow.DAG:\n    return airflow.DAG('a', schedule_interval=None)\n"
    (dags / "old.py").write_text(code)
    (done,) = mend(dags)
    assert done.after == code.replace("schedule_interval", "schedule")
    assert [one.rule for one in done.fixed] == ["DAG604"]


def test_encoding_line_ends_and_permissions_of_a_file_stay(dags: Path) -> None:
    file = dags / "old.py"
    text = "# -*- coding: latin-1 -*-\nfrom airflow.sdk import DAG\nDAG('é', schedule_interval=None)\n"
    file.write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    file.chmod(0o640)
    mend(dags)
    expected = text.replace("schedule_interval", "schedule").replace("\n", "\r\n").encode("latin-1")
    assert file.read_bytes() == expected
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "content",
    [
        "from airflow.sdk import DAG\nDAG(schedule_interval=\n",
        "import requests\r\nfrom airflow.sdk import DAG\nDAG('a', schedule_interval=None)\n",
    ],
)
def test_a_file_that_does_not_parse_or_mixes_line_ends_is_left(dags: Path, content: str) -> None:
    file = dags / "old.py"
    file.write_bytes(content.encode())
    assert mend(dags) == []
    assert file.read_bytes() == content.encode()


def test_a_module_that_tasks_use_is_repaired_below_the_checked_paths_alone(dags: Path, tmp_path: Path) -> None:
    helper = "import requests\n\n\ndef fetch():\n    return requests.get('x').ok\n"
    for place in (dags, tmp_path):
        (place / f"in_{place.name}.py").write_text(helper)
    names = ("in_dags", f"in_{tmp_path.name}")
    imports = "".join(f"from {name} import fetch as {name}\n" for name in names)
    calls = " or ".join(f"{name}()" for name in names)
    code = f"from airflow.sdk import DAG, task\n{imports}\n\n@task\ndef load():\n    return {calls}\n"
    (dags / "old.py").write_text(f"{code}\n\nwith DAG('a', schedule=None):\n    load()\n")

    done = mend(dags)

    assert [file.path for file in done] == ["dags/in_dags.py"]
    assert (dags / "in_dags.py").read_text() == helper.replace("'x'", "'x', timeout=30")
    assert (tmp_path / f"in_{tmp_path.name}.py").read_text() == helper


def test_no_dag_file_is_not_a_success(tmp_path: Path) -> None:
    with pytest.raises(NothingChecked):
        mend(tmp_path, write=False)


def test_a_file_elsewhere_that_a_link_leads_to_is_left(dags: Path, tmp_path: Path) -> None:
    (dags / "old.py").rename(tmp_path / "shared.py")
    (dags / "old.py").symlink_to(tmp_path / "shared.py")
    assert mend(dags) == []
    assert (tmp_path / "shared.py").read_text(encoding="utf-8") == OLD


def test_a_write_that_fails_leaves_the_file_whole(dags: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="no space"):
        mend(dags)
    assert (dags / "old.py").read_text(encoding="utf-8") == OLD
    assert [path.name for path in dags.iterdir()] == ["old.py"]
