from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def trap_version(dags_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copies a family of DAG files with one mistake in one of them, and returns the copy's folder.

    `trap_version("family/file.py", {"right": "wrong"})`; each text must stand in the file.
    """

    def write(name: str, mistakes: dict[str, str]) -> Path:
        text = (dags_folder / name).read_text()
        for right, wrong in mistakes.items():
            assert right in text, f"{name} has no {right!r}"
            text = text.replace(right, wrong)
        family = (dags_folder / name).parent
        folder = tmp_path / "traps"
        shutil.copytree(family, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / Path(name).name).write_text(text)
        return folder

    return write


@pytest.fixture
def run_trap(trap_version: Callable[..., Path], environment: Any, namespace: Any) -> Callable[..., Any]:
    """Runs a DAG's trap version in this test's namespace: `run_trap(dag_id, "family/file.py", {...}, date=...)`."""
    from harness import Session

    def run(dag_id: str, name: str, mistakes: dict[str, str], **options: Any) -> Any:
        with Session(environment, dags=trap_version(name, mistakes)) as session:
            return session.run(dag_id, namespace=namespace, **options)

    return run
