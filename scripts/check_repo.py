"""Rules of this repository that no linter knows: what may not stand in a tracked file, and how long code may get."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FUNCTION = 80
LONGEST_MODULE = 500

#: what is wrong -> how it looks; written so that no pattern matches its own line
FORBIDDEN = {
    "the address of a package registry": re.compile(
        r"(files\.pythonhosted\.|pypi\.org/(simple)|repo1?\.maven\.(apache\.)?org|registry\.npmjs\.|proxy\.golang\.)"
        r"|--(extra-)?index-url[ =]\S|--find-links[ =]\S"
    ),
    "an address that only exists on someone's network": re.compile(r"https?://[\w.-]+\.(internal|lan|corp|intra)\b"),
    "credentials in an address": re.compile(r"https?://[^\s/:@{}$]+:[^\s/:@{}$]+@"),
    "a path of someone's machine": re.compile(r"(?<![\w.~*}-])/(home/[a-z]\w*|Users/[A-Za-z]\w*|root|work)/[\w.]"),
}


def tracked(root: Path) -> list[Path]:
    """List the files that git knows, and that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := root / name).is_file()]


def forbidden_text(path: Path, root: Path) -> Iterator[str]:
    """Yield one line for each place in a text file that says what it may not."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    own = {"the path of this checkout": re.compile(re.escape(str(root)) + r"\b")}
    for number, line in enumerate(lines, start=1):
        for what, pattern in (FORBIDDEN | own).items():
            if found := pattern.search(line):
                yield f"{path.relative_to(root)}:{number}:{found.start() + 1}: {what}: {found.group()}"


def too_long(path: Path, root: Path) -> Iterator[str]:
    """Yield one line for a module, and for each of its functions, that is longer than a reader can hold."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(root)
    count = len(text.splitlines())
    if count > LONGEST_MODULE:
        yield f"{name}:1:1: {count} lines in one module; {LONGEST_MODULE} is the most"
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (size := length(node)) > LONGEST_FUNCTION:
            yield f"{name}:{node.lineno}:1: {node.name} has {size} lines; {LONGEST_FUNCTION} is the most"


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring."""
    size = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return size
    docstring = function.body[0]
    return size - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def findings(root: Path) -> list[str]:
    """Return everything that is wrong in the repository at `root`, as `path:line:column: what`."""
    found: list[str] = []
    for path in tracked(root):
        found += forbidden_text(path, root)
        if path.suffix == ".py":
            found += too_long(path, root)
    return found


def main() -> int:
    """Print what is wrong; 1 when there is something."""
    found = findings(ROOT)
    print("\n".join(found) or "check_repo: nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
