"""Expectations that stand in files: where they are, how they are read, and how `--update-expectations` writes them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.expect.rows import Row


@dataclass
class Shelf:
    """The stored expectations of one test, and how often each name was asked for so far.

    Args:
        test_file: the test's module; the files stand in `expected/MODULE/TEST/` next to it.
        test: its name, parameters included.
        update: write what is found in place of comparing with it.
    """

    test_file: Path
    test: str
    update: bool = False
    asked: Counter[str] = field(default_factory=Counter)

    def path(self, name: str) -> Path:
        """Return the file of the next expectation of this name: the second one of a test has `-2` at its end."""
        self.asked[name] += 1
        number = self.asked[name]
        file = f"{_safe(name)}{f'-{number}' if number > 1 else ''}.json"
        return self.test_file.parent / "expected" / self.test_file.stem / _safe(self.test) / file


_SHELF: ContextVar[Shelf | None] = ContextVar("stored expectations of the running test", default=None)


@contextmanager
def shelf_of(test_file: Path, test: str, *, update: bool) -> Iterator[None]:
    """Say whose stored expectations are meant, as long as a test runs."""
    token = _SHELF.set(Shelf(test_file, test, update))
    try:
        yield
    finally:
        _SHELF.reset(token)


def stored_rows(name: str, found: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the rows that are stored for a name; with `--update-expectations` store what is found, and return that.

    Raises:
        ConfigError: no test of pytest's is running, so that nothing says which file is meant, or the file is broken.
        AssertionError: there is no file yet.
    """
    shelf = _SHELF.get()
    if shelf is None:
        raise ConfigError(
            f"nothing is expected of {name!r}, and no test is running whose stored expectation it could be",
            hint="give the rows",
        )
    path = shelf.path(name)
    if shelf.update:
        write(path, name, found)
    elif not path.exists():
        raise AssertionError(
            f"{name}: nothing is stored yet in {_shown(path)}; run the test with --update-expectations, "
            "and read what it wrote before you commit it"
        )
    return read(path)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; raises ConfigError when it is none that `write` made."""
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"no stored expectation: {type(error).__name__}: {error}",
            path=_shown(path),
            hint="write it anew with --update-expectations",
        ) from error
    return rows


def write(path: Path, name: str, rows: Iterable[Row]) -> None:
    """Store rows, one in a line and in a stable order, so that version control shows what changed; all or nothing."""
    lines = sorted(json.dumps(plain(row), ensure_ascii=False) for row in rows)
    listed = "[\n    " + ",\n    ".join(lines) + "\n  ]" if lines else "[]"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(f'{{\n  "expectation": {json.dumps(name)},\n  "rows": {listed}\n}}\n', encoding="utf-8")
    unfinished.replace(path)


def plain(value: Any) -> Any:
    """Return a value in JSON's types: what JSON lacks becomes the text that `compare` reads back."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.=-]+", "_", name).strip("_")


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
