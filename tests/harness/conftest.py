from __future__ import annotations

import shutil
from pathlib import Path

import pytest

DEV = """
stage: dev
plugins: [toy]
services:
  toy: {keys: [greeting]}
airflow:
  connections:
    drawer: {service: toy}
  variables: {region: eu-west-1}
"""


@pytest.fixture
def toy_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one light service of its own, in which the test's process stands."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "dev.yaml").write_text(DEV)
    shutil.copy(Path(__file__).with_name("toy.py"), tmp_path / "toy.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
