from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```(?:python|yaml)\n# (\S+/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project into which somebody has typed what CONTRIBUTING.md shows, and nothing else."""
    project = tmp_path_factory.mktemp("newcomer")
    for package in ("jobs/common", "environments/seeds"):
        shutil.copytree(ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("jobs/__init__.py", "environments/__init__.py"):
        shutil.copy(ROOT / name, project / name)
    for name, content in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return project


def type_in(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=project, capture_output=True, text=True, check=False, timeout=240
    )


def test_the_guide_shows_all_files_of_a_role_and_a_pipeline(newcomer: Path) -> None:
    shown = {str(path.relative_to(newcomer)) for path in newcomer.rglob("*.*") if "price" in path.name}

    assert shown == {
        "dags/prices/load_prices.py",
        "environments/prices.yaml",
        "environments/seeds/load_prices.py",
        "tests/pipelines/prices/test_load_prices.py",
    }
    assert (newcomer / "environments/plugins/filedrop.py").exists()
    assert (newcomer / "jobs/prices/load.py").exists()


def test_the_environment_of_the_guide_is_accepted(newcomer: Path) -> None:
    shown = type_in(newcomer, "harness", "env", "show", "prices")

    assert shown.returncode == 0, shown.stderr
    assert "filedrop" in shown.stdout


@pytest.mark.slow
def test_the_pipeline_of_the_guide_runs_on_the_role_of_the_guide(newcomer: Path) -> None:
    ran = type_in(newcomer, "harness", "run", "load_prices", "--env", "prices", "--date", "2026-01-02")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "PASS load_prices: 1 run, 1 task" in ran.stdout
    assert "warehouse.public.prices" in ran.stdout


@pytest.mark.slow
def test_the_tests_of_the_guide_pass(newcomer: Path) -> None:
    tested = type_in(newcomer, "pytest", "-q", "tests/pipelines/prices", "--env", "prices", "-p", "no:cacheprovider")

    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_every_folder_that_the_guide_names_is_there() -> None:
    named = re.findall(r"`((?:harness|docs|tests|scripts)/[\w/.]*)`", (ROOT / "CONTRIBUTING.md").read_text())

    assert named
    assert [name for name in named if not (ROOT / name).exists() and "NAME" not in name] == []
