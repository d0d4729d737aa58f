"""What a check looks at as a whole: the facts of all DAG files, and the project modules that they use."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checks.graph import Dag
from harness.checks.source.file import SourceFile

if TYPE_CHECKING:
    from harness.checks.facts import FileFacts
    from harness.checks.usage import Usage

_STDLIB = sys.stdlib_module_names


@dataclass
class Loaded:
    """How the loading of one file by Airflow ended.

    Args:
        dags: what it defines; empty when it failed.
        error: exception as `Type: message`, with the line in the file.
        line: where in the file it happened.
        ended: `timeout`, `killed`, `exit` or `memory` when the file ended or held up its process; `unreadable` when it
            was not even tried, `unread` when what came of it cannot be read.
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

    @property
    def complete(self) -> bool:
        """Whether Airflow has built all its DAGs, and they could be read."""
        return self.error is None and self.ended is None


@dataclass
class Project:
    """All files of one check.

    Args:
        roots: folders that modules are imported from: the DAG folders, and the project itself.
        facts: what is known of each DAG file, by path.
        helpers: modules of the project that DAG files use, by name.
        inputs: what each DAG file was seen to depend on while it was loaded, absolute, by path.
    """

    roots: tuple[Path, ...] = ()
    facts: dict[str, FileFacts] = field(default_factory=dict)
    helpers: dict[str, SourceFile] = field(default_factory=dict)
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def follow(self) -> None:
        """Read the project's own modules that the DAG files use, and mark what runs in them and when."""
        todo = [left for facts in self.facts.values() for left in facts.leaving]
        seen = set()
        handled: dict[str, int] = {}
        while todo:
            left = todo.pop()
            name, moment, how = left
            if left in seen or name.startswith("airflow.") or name.partition(".")[0] in _STDLIB:
                continue
            seen.add(left)
            found = self.module_of(name)
            if found is None:
                continue
            helper, attribute = found
            if how == "import":
                helper.reach.enter(moment)
            else:
                bare = attribute.replace("()", "")
                function = helper.code.by_name.get(f".{bare}") or helper.code.by_name.get(f".{bare}.__init__")
                if function and function.role == "plain":
                    helper.reach.mark(function, moment)
            todo += helper.reach.leaving[handled.get(helper.path, 0) :]
            handled[helper.path] = len(helper.reach.leaving)

    def module_of(self, name: str) -> tuple[SourceFile, str] | None:
        """Return the project's module that a qualified name is in, and the rest of the name."""
        parts = name.replace("()", "").split(".")
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if module not in self.helpers and (path := self._locate(module)):
                try:
                    self.helpers[module] = SourceFile.read(path, module, parsed=False)
                except (SyntaxError, OSError, ValueError, RecursionError):
                    return None
            if module in self.helpers:
                return self.helpers[module], ".".join(parts[length:])
        return None

    def _locate(self, module: str) -> Path | None:
        if not all(part.isidentifier() for part in module.split(".")):
            return None
        relative = Path(*module.split("."))
        for root in self.roots:
            for candidate in (root / relative.with_suffix(".py"), root / relative / "__init__.py"):
                if candidate.is_file():
                    return from_here(candidate)
        return None

    @cached_property
    def own_helpers(self) -> list[SourceFile]:
        """The modules that were reached and are no DAG files themselves."""
        dag_files = {str(Path(path).resolve()) for path in self.facts}
        return [f for f in self.helpers.values() if str(Path(f.path).resolve()) not in dag_files]

    @cached_property
    def usages(self) -> list[Usage]:
        """What the DAGs use of their environment."""
        from harness.checks.usage import of_code, sorted_uses

        own = [use for facts in self.facts.values() for use in facts.usages]
        return sorted_uses([*own, *(use for helper in self.own_helpers for use in of_code(helper))])

    @cached_property
    def dag_ids(self) -> frozenset[str]:
        """Ids of all DAGs there are."""
        return frozenset(dag_id for facts in self.facts.values() for dag_id in facts.dags)

    @property
    def count(self) -> int:
        """How many DAGs there are."""
        return sum(len(facts.dags) for facts in self.facts.values())


def from_here(path: Path) -> Path:
    """Return a path as the user would name it: from here, when it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
