from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.check_repo import findings


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def track(repository: Path, name: str, content: str | bytes) -> None:
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    subprocess.run(["git", "add", name], cwd=repository, check=True)


def function(lines: int, docstring: str = "") -> str:
    return "\n".join(["def f():", *([f'    """{docstring}"""'] if docstring else []), *["    x = 1"] * (lines - 1), ""])


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("see https://files." + "pythonhosted.org/x.whl", "the address of a package registry"),
        ("pip install --index-" + "url https://mirror.example/simple x", "the address of a package registry"),
        ("https://nexus." + "corp/repository", "an address that only exists on someone's network"),
        ("https://alice:" + "secret@example.org/", "credentials in an address"),
        ("cd /home" + "/alice/code", "a path of someone's machine"),
        ("open('/Users" + "/alice/x')", "a path of someone's machine"),
        ("/root" + "/.cache", "a path of someone's machine"),
    ],
)
def test_a_line_that_belongs_to_someones_machine_is_named_with_its_place(
    repository: Path, line: str, complaint: str
) -> None:
    track(repository, "docs/a.md", f"fine\n{line}\n")

    (found,) = findings(repository)

    assert found.startswith("docs/a.md:2:")
    assert complaint in found


@pytest.mark.parametrize(
    "line", ["https://example.org/home/alice", "s3://lake/root/x", "http://127.0.0.1:9000/", "~/work/x", "$HOME/work/x"]
)
def test_an_ordinary_address_or_path_is_let_through(repository: Path, line: str) -> None:
    track(repository, "README.md", line)

    assert findings(repository) == []


def test_the_path_of_the_checkout_itself_is_found(repository: Path) -> None:
    track(repository, "notes.txt", f"built in {repository}")

    (found,) = findings(repository)

    assert "the path of this checkout" in found


def test_a_function_of_81_lines_is_too_long_and_one_of_80_is_not(repository: Path) -> None:
    track(repository, "ok.py", function(80))
    track(repository, "long.py", function(81))

    assert findings(repository) == ["long.py:1:1: f has 81 lines; 80 is the most"]


def test_a_docstring_does_not_make_a_function_long(repository: Path) -> None:
    track(repository, "ok.py", function(80, docstring="one\n    two\n    three"))

    assert findings(repository) == []


def test_a_module_of_501_lines_is_too_long(repository: Path) -> None:
    track(repository, "long.py", "x = 1\n" * 501)

    assert findings(repository) == ["long.py:1:1: 501 lines in one module; 500 is the most"]


def test_binary_files_and_untracked_files_are_not_read(repository: Path) -> None:
    track(repository, "logo.png", b"\x89PNG\xff\xfe")
    (repository / "scratch.txt").write_text("/home" + "/alice/code")

    assert findings(repository) == []
