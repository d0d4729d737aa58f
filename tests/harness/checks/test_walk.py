"""Which files are DAG files: as Airflow itself finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.checks.walk import find_files

FILES = (
    "top.py",
    "abc/one.py",
    "abc/def/two.py",
    "abc/def/xyz/three.py",
    "old/four.py",
    "old_five.py",
    "abc/old_six.py",
)


@pytest.mark.parametrize(
    "ignored",
    [
        "",
        "*\n!abc/\n!abc/def/\n!abc/def/xyz/\n!abc/def/xyz/*\n",
        "old_*\n",
        "/old_*\n",
        "abc/\n",
        "abc/def\n",
        "abc/*\n!abc/def/\n",
        "*.py\n!top.py\n",
        "**/def/**\n",
        "old # not used any more\n# abc\n",
        "!top.py\ntop.py\n",
        "def/\n",
    ],
)
def test_the_same_files_are_found_as_by_airflow(tmp_path: Path, ignored: str) -> None:
    from airflow._shared.module_loading import find_path_from_directory

    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("from airflow.sdk import DAG\n")
    (tmp_path / ".airflowignore").write_text(ignored)

    ours = {Path(file).relative_to(tmp_path).as_posix() for file in find_files([tmp_path]).files}

    theirs = {
        Path(file).relative_to(tmp_path).as_posix() for file in find_path_from_directory(tmp_path, ".airflowignore")
    }
    assert ours == theirs
