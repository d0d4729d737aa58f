"""Where a value comes from: through names, arguments' defaults and the file's own functions, back to a call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from harness.checks.source.file import SourceFile
from harness.checks.source.names import current

Wanted = Callable[[str], bool]


def origin(file: SourceFile, node: ast.expr | None, wanted: Wanted, depth: int = 0) -> ast.expr | None:
    """Return the expression that brings a wanted thing into `node`'s value, or None.

    Args:
        wanted: whether the qualified name of something called or read is what is looked for.
    """
    if node is None or depth > 5:
        return None
    for inner in evaluated(node):
        if isinstance(inner, ast.Call | ast.Attribute):
            name = file.resolve(inner.func if isinstance(inner, ast.Call) else inner)
            if name and wanted(name):
                return inner
            if isinstance(inner, ast.Call) and _through_function(file, name, wanted, depth):
                return inner
        elif isinstance(inner, ast.Name) and _through_name(file, inner, wanted, depth):
            return inner
    return None


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what is evaluated with it: not the bodies of lambdas and functions."""
    yield node
    if not isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
        for child in ast.iter_child_nodes(node):
            yield from evaluated(child)


def _through_function(file: SourceFile, name: str, wanted: Wanted, depth: int) -> ast.expr | None:
    function = file.code.by_name.get(name)
    if function is None or function.role != "plain":
        return None
    for node in (n for statement in function.body for n in evaluated(statement)):
        if isinstance(node, ast.Return) and (found := origin(file, node.value, wanted, depth + 1)):
            return found
    return None


def _through_name(file: SourceFile, node: ast.Name, wanted: Wanted, depth: int) -> ast.expr | None:
    scope = file.names.scopes[node]
    found = scope.find(node.id)
    if not found:
        return None
    binding = current(found[1], node, same=found[0] is scope)
    if binding and binding.value is not None and binding.kind in ("value", "item", "context"):
        return origin(file, binding.value, wanted, depth + 1)
    return None
