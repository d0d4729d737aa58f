"""What a file imports where loading it does not show whether it is there: inside tasks, and where failure is caught."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.checks.source.file import SourceFile
from harness.models.base import Frozen

_MISSING = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
_ELSEWHERE = ("virtualenv", "external", "docker", "kubernetes")


class Need(Frozen):
    """One import.

    Args:
        module: as it is imported from.
        guarded: it is in a `try` that catches its failure, and is made while the file is parsed.
        operators: names of operators and sensors among what is imported.
    """

    module: str
    line: int
    column: int = 1
    guarded: bool = False
    operators: tuple[str, ...] = ()


def needs_of(file: SourceFile) -> Iterator[Need]:
    """Yield the imports of a file whose failure its loading does not show, top to bottom."""
    for node in file.of_type(ast.Import, ast.ImportFrom):
        moments = file.code.moments(node)
        guard = _guard(file, node)
        in_task = "task" in moments and "parse" not in moments and guard is None and not _elsewhere(file, node)
        optional = "parse" in moments and guard is not None and not _has_substitute(guard, node)
        if in_task or optional:
            for module, names in _imported(file, node):
                operators = tuple(name for name in names if name.endswith(("Operator", "Sensor")))
                column = node.col_offset + 1
                yield Need(module=module, line=node.lineno, column=column, guarded=optional, operators=operators)


def _imported(file: SourceFile, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, list[str]]]:
    """Yield the modules that a statement imports, and the names that are used of each."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            used = (n.attr for n in file.of_type(ast.Attribute) if ast.unparse(n.value) == (alias.asname or alias.name))
            yield alias.name, list(dict.fromkeys(used))
    elif not node.level and node.module:
        yield node.module, [alias.name for alias in node.names]


def _guard(file: SourceFile, node: ast.stmt) -> ast.Try | None:
    """Return the `try` around an import that catches its failure."""
    inner: ast.AST = node
    for parent in file.names.ancestors(node):
        if isinstance(parent, ast.Try) and inner in parent.body and any(map(_catches, parent.handlers)):
            return parent
        inner = parent
    return None


def _catches(handler: ast.ExceptHandler) -> bool:
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or ast.unparse(one) in _MISSING for one in types)


def _has_substitute(guard: ast.Try, node: ast.Import | ast.ImportFrom) -> bool:
    """Whether what catches the failure gives up, or imports the same names from another place."""
    names = {alias.asname or alias.name for alias in node.names}
    for inner in (n for handler in guard.handlers for statement in handler.body for n in ast.walk(statement)):
        if isinstance(inner, ast.Raise):
            return True
        if isinstance(inner, ast.Import | ast.ImportFrom) and names & {a.asname or a.name for a in inner.names}:
            return True
    return False


def _elsewhere(file: SourceFile, node: ast.AST) -> bool:
    """Whether a function around the import runs in an environment of its own."""
    for parent in file.names.ancestors(node):
        function = file.code.functions.get(parent)
        if function is not None:
            makers = [task.operator.lower() for task in file.tasks if task.runs is function]
            if any(word in made for made in [function.kind, *makers] for word in _ELSEWHERE):
                return True
    return False


def is_installed(module: str, roots: Sequence[Path]) -> bool:
    """Say whether a module can be imported here, without importing anything.

    Args:
        roots: folders of the project that modules are imported from.
    """
    top, *rest = module.split(".")
    if top in sys.stdlib_module_names or any(
        _is_in(place, top) for root in roots for place in (root, root / "plugins")
    ):
        return True
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None or not module.startswith("airflow.providers."):
        # a library may make its modules as it likes: only Airflow's providers are known to be files
        return spec is not None
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    return any(_is_in(place.joinpath(*rest[:-1]), rest[-1]) for place in places)


def _is_in(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").is_file() or (folder / top).is_dir()
