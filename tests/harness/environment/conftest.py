from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from harness.environment import Environment


class Files:
    """The environments folder of a project of its own."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.folder = project / "environments"
        self.folder.mkdir()

    def write(self, text: str | bytes, name: str = "test") -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return path

    def load(self, name: str = "test", **environ: str) -> Environment:
        return Environment.load(name, Path("environments"), environ=environ)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.chdir(tmp_path)
    return Files(tmp_path)


@pytest.fixture
def harness() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command line in a process of its own, in the current folder."""
    root = Path(__file__).parents[3]

    def call(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": str(root), **environ},
        )

    return call
