"""What a file depends on by its text: modules that it imports anywhere, and project files that it names.

It stands beside the recorder, which hears what happens while a DAG is parsed. A task imports its job, or opens its SQL,
when it runs; only the text tells of that before. A name that might be meant is taken to be: evidence that covers one
file too many is refused once too often, and evidence that covers one too few lets a change through.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

_SKIPPED = frozenset({"__pycache__", "node_modules", "venv", "build", "dist", "artifacts", "logs"})
_FILE = re.compile(r"[\w./-]*\w\.[A-Za-z]\w{0,9}(?![\w.])")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?::[A-Za-z_]\w*)?")
_LONGEST = 1_000_000
"""Bytes of a file that is read for names; more is data."""


class Sources:
    """The files of a project, and what each of them depends on.

    Args:
        project: its root.
        roots: folders that its modules are imported from, such as the DAG folder; the project's root is one of them.
    """

    def __init__(self, project: Path, roots: Iterable[Path] = ()) -> None:
        self.project = project.resolve()
        self.roots = tuple(dict.fromkeys([*(root.resolve() for root in roots), self.project]))
        # in a checkout of the harness itself a seed's import of it would make every file of it an input
        self._tool = Path(__file__).resolve().parent.parent
        self._direct: dict[Path, tuple[Path, ...]] = {}

    def closure(self, files: Iterable[Path]) -> list[Path]:
        """Return these files and everything of the project that they depend on, each once, sorted.

        The harness is a tool, like Airflow: its version stands for it.
        """
        todo = [path.resolve() for path in files]
        seen: dict[Path, None] = {}
        while todo:
            path = todo.pop()
            if path not in seen and path.is_file() and not path.is_relative_to(self._tool):
                seen[path] = None
                todo += self._of(path)
        return sorted(seen)

    def of_target(self, target: str) -> list[Path]:
        """Return what `package.module:function` depends on; nothing when it is no module of the project."""
        return self.closure(self._module(target.partition(":")[0]))

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """The project's files by the last part of their path; hidden folders and what is made are left out."""
        found: dict[str, list[Path]] = {}
        for folder, folders, files in os.walk(self.project):
            folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
            for name in files:
                found.setdefault(name, []).append(Path(folder, name))
        return found

    def _of(self, path: Path) -> tuple[Path, ...]:
        if path not in self._direct:
            self._direct[path] = tuple(dict.fromkeys(self._read(path)))
        return self._direct[path]

    def _read(self, path: Path) -> Iterator[Path]:
        try:
            content = path.read_bytes()
        except OSError:
            return
        if len(content) > _LONGEST:
            return
        text = content.decode(errors="replace")
        if path.suffix != ".py":
            yield from self._named(text, path)
            return
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return
        for node in ast.walk(tree):
            match node:
                case ast.Import():
                    for alias in node.names:
                        yield from self._module(alias.name)
                case ast.ImportFrom():
                    base = self._base(path, node.module or "", node.level)
                    yield from self._module(base)
                    for alias in node.names:
                        yield from self._module(f"{base}.{alias.name}")
                case ast.Constant(value=str(words)):
                    yield from self._named(words, path)

    def _base(self, path: Path, module: str, level: int) -> str:
        if not level:
            return module
        root = next((root for root in self.roots if path.is_relative_to(root)), self.project)
        if not path.is_relative_to(root):
            return module
        package = path.relative_to(root).parent.parts
        package = package[: len(package) - (level - 1)]
        return ".".join([*package, module] if module else package)

    def _module(self, name: str) -> list[Path]:
        """Return the files of a module and of the packages around it; nothing when the project has no such module."""
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return []
        for root in self.roots:
            base = root.joinpath(*parts)
            file = next((f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None)
            if file is not None:
                packages = [root.joinpath(*parts[:length], "__init__.py") for length in range(1, len(parts))]
                return [file, *(package for package in packages if package.is_file())]
        return []

    def _named(self, text: str, path: Path) -> Iterator[Path]:
        """Yield the files of the project that a text names by the end of their path, and modules named in full."""
        for match in _FILE.finditer(text):
            wanted = match[0].lstrip("./")
            for found in self._by_name.get(wanted.rpartition("/")[2], ()):
                if found != path and f"/{found.relative_to(self.project).as_posix()}".endswith(f"/{wanted}"):
                    yield found
        if path.suffix == ".py" and _MODULE.fullmatch(text):
            yield from self._module(text.partition(":")[0])


def files_below(folders: Sequence[Path]) -> list[Path]:
    """Return the files of folders, sorted, without caches and hidden ones; a file stands for itself."""
    found: set[Path] = set()
    for folder in folders:
        if folder.is_file():
            found.add(folder.resolve())
        for path in folder.rglob("*") if folder.is_dir() else ():
            inner = path.relative_to(folder).parts
            if path.is_file() and not any(part.startswith(".") or part in _SKIPPED for part in inner):
                found.add(path.resolve())
    return sorted(found)
