"""What a check looks at: the DAG files, the project modules that they reach, and each DAG in its best known form."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checks.graph import Dag
from harness.checks.source.code import Moment
from harness.checks.source.file import SourceFile

if TYPE_CHECKING:
    from harness.checks.usage import Usage

_STDLIB = sys.stdlib_module_names


@dataclass
class Loaded:
    """How the loading of one file by Airflow ended.

    Args:
        dags: what it defines; empty when it failed.
        error: exception as `Type: message`, with the line in the file.
        line: where in the file it happened.
        ended: `timeout`, `killed`, `exit` or `memory` when the file ended or held up its process.
        seconds: how long its import took.
        effects: what it did besides: (kind, detail, line).
        costly: slowest modules it imported: (name, seconds).
        detail: the rest of what is known about a failure.
    """

    path: str
    dags: tuple[Dag, ...] = ()
    error: str | None = None
    line: int = 1
    ended: str | None = None
    seconds: float = 0.0
    effects: tuple[tuple[str, str, int], ...] = ()
    costly: tuple[tuple[str, float], ...] = ()
    detail: str = ""


@dataclass
class Project:
    """All files of one check.

    Args:
        roots: folders that modules are imported from: the DAG folders, and the project itself.
        files: DAG files by path.
        outcomes: how Airflow loaded them, by path; empty when only the source is read.
    """

    roots: tuple[Path, ...] = ()
    files: dict[str, SourceFile] = field(default_factory=dict)
    outcomes: dict[str, Loaded] = field(default_factory=dict)
    helpers: dict[str, SourceFile] = field(default_factory=dict)
    reached: dict[str, set[str]] = field(default_factory=dict)

    def follow(self) -> None:
        """Read the project's own modules that the DAG files use, and mark what runs in them and when."""
        todo = [(file, name, moment) for file in self.files.values() for name, moment in _leaving(file)]
        seen: set[tuple[str, str]] = set()
        handled: dict[str, int] = {}
        while todo:
            source, name, moment = todo.pop()
            if (name, moment) in seen or name.startswith("airflow.") or name.partition(".")[0] in _STDLIB:
                continue
            seen.add((name, moment))
            found = self.module_of(name)
            if found is None:
                continue
            helper, attribute = found
            self.reached.setdefault(source.path, set()).add(helper.path)
            bare = attribute.replace("()", "")
            function = helper.code.by_name.get(f".{bare}") or helper.code.by_name.get(f".{bare}.__init__")
            if function and function.role == "plain":
                helper.reach.mark(function, moment)
            fresh = helper.reach.leaving[handled.get(helper.path, 0) :]
            handled[helper.path] = len(helper.reach.leaving)
            todo += [(helper, left, when) for left, when, _ in fresh]

    def module_of(self, name: str) -> tuple[SourceFile, str] | None:
        """Return the project's module that a qualified name is in, and the rest of the name."""
        parts = name.replace("()", "").split(".")
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if module in self.helpers:
                return self.helpers[module], ".".join(parts[length:])
            if path := self._locate(module):
                known = self.files.get(str(path))
                try:
                    self.helpers[module] = known or SourceFile.read(path, module)
                except (SyntaxError, OSError, UnicodeDecodeError, RecursionError):
                    return None
                return self.helpers[module], ".".join(parts[length:])
        return None

    def _locate(self, module: str) -> Path | None:
        if not all(part.isidentifier() for part in module.split(".")):
            return None
        relative = Path(*module.split("."))
        for root in self.roots:
            for candidate in (root / relative.with_suffix(".py"), root / relative / "__init__.py"):
                if candidate.is_file():
                    return candidate
        return None

    @cached_property
    def own_helpers(self) -> list[SourceFile]:
        """The modules that were reached and are no DAG files themselves."""
        return [f for f in dict.fromkeys(self.helpers.values()) if f.path not in self.files]

    @cached_property
    def dags(self) -> list[Dag]:
        """Every DAG once: as Airflow has loaded it, or as the source shows it."""
        return [dag for path, file in self.files.items() for dag in self.dags_of(path, file)] + self._foreign()

    @property
    def count(self) -> int:
        """How many DAGs there are; an asset that is only read, not loaded, counts as the DAG that it makes."""
        unread = [file for path, file in self.files.items() if not self.is_loaded(path)]
        return len(self.dags) + sum(len(file.declared.assets) for file in unread)

    def is_loaded(self, path: str) -> bool:
        """Say whether Airflow has loaded a file."""
        outcome = self.outcomes.get(path)
        return outcome is not None and outcome.error is None and outcome.ended is None

    def dags_of(self, path: str, file: SourceFile) -> list[Dag]:
        """Return the DAGs of one file."""
        return list(self.outcomes[path].dags) if self.is_loaded(path) else file.dags

    def _foreign(self) -> list[Dag]:
        """DAGs of files whose source cannot be read, such as archives."""
        return [dag for path, outcome in self.outcomes.items() if path not in self.files for dag in outcome.dags]

    @cached_property
    def usages(self) -> list[Usage]:
        """What the DAGs use of their environment."""
        from harness.checks.usage import usages

        return usages(self)

    @cached_property
    def dag_ids(self) -> frozenset[str]:
        return frozenset(dag.dag_id for dag in self.dags)


def _leaving(file: SourceFile) -> Iterator[tuple[str, Moment]]:
    yield from ((name, moment) for name, moment, _ in file.reach.leaving)
