"""One Python file, read once for all rules: its names, values, calls, functions, DAGs, tasks and comments."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.checks.source.code import Code, Function, Moment, Reach
from harness.checks.source.names import Names
from harness.checks.source.values import HOLE, OPEN, UNKNOWN, Evaluator, known

if TYPE_CHECKING:
    from harness.checks.graph import Dag
    from harness.checks.source.declared import DagCall, Declared, TaskCall


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call: what is called, with what, and when it runs.

    Args:
        name: qualified name, empty when it cannot be seen (`airflow.sdk.Variable.get`, `boto3.client().put_object`).
    """

    node: ast.Call
    name: str
    file: SourceFile

    @property
    def line(self) -> int:
        return self.node.lineno

    @property
    def method(self) -> str:
        """The last part of what is called, as it is written: `get` of `whatever().get(...)`."""
        func = self.node.func
        return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""

    @property
    def last(self) -> str:
        """The last part of the qualified name, which an alias cannot hide."""
        return self.name.rpartition(".")[2] or self.method

    @property
    def moments(self) -> set[Moment]:
        return self.file.code.moments(self.node)

    @property
    def at_parse(self) -> bool:
        return "parse" in self.moments

    @property
    def in_task(self) -> bool:
        return "task" in self.moments

    @property
    def function(self) -> Function | None:
        return self.file.code.around(self.node)

    def expression(self, keyword: str, position: int | None = None) -> ast.expr | None:
        """Return an argument as it is written, by keyword or by position (0 for the first)."""
        found = self.file.values.keywords(self.node).get(keyword)
        if found is None and position is not None and position < len(self.node.args):
            found = self.node.args[position]
        return None if isinstance(found, ast.Starred) else found

    def value(self, keyword: str, position: int | None = None) -> Any:
        """Return an argument's value; `UNKNOWN` when it is absent or cannot be seen."""
        return self.file.values.value(self.expression(keyword, position))

    def text(self, keyword: str, position: int | None = None) -> str | None:
        """Return an argument that is a string without holes."""
        value = self.value(keyword, position)
        return value if isinstance(value, str) and HOLE not in value else None

    def states(self, *keywords: str) -> bool:
        """Whether any of these keyword arguments is given, or may be given through `**`."""
        given = self.file.values.keywords(self.node)
        return OPEN in given or any(keyword in given for keyword in keywords)


class SourceFile:
    """A parsed file.

    Args:
        path: as the user named it; findings show it so.
        text: the file's content.
        module: its dotted name when it is imported (`jobs.load`), for relative imports.
        parsed: it is a DAG file; a helper module runs when somebody is seen to import it.

    Raises:
        SyntaxError: the text is no Python of this interpreter's version.
    """

    def __init__(self, path: str, text: str, module: str = "", *, parsed: bool = True) -> None:
        self.path = path
        self.text = text
        self.module = module
        self.tree = ast.parse(text, path)
        package = module.rpartition(".")[0]
        self.names = Names.of(self.tree, package)
        self.values = Evaluator(self.names)
        self.code = Code(self.names)
        self.reach = Reach(self.code)
        self.reach.run()
        if parsed:
            self.reach.enter("parse")

    @classmethod
    def read(cls, path: Path, module: str = "", *, parsed: bool = True) -> SourceFile:
        """Read a file from disk, in the encoding that it declares."""
        import tokenize

        with tokenize.open(path) as stream:
            return cls(str(path), stream.read(), module, parsed=parsed)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def calls(self) -> list[Call]:
        """All calls, top to bottom."""
        nodes = [node for node in self.names.nodes if isinstance(node, ast.Call)]
        return [Call(node, self.names.resolve(node.func) or "", self) for node in nodes]

    @cached_property
    def calls_in(self) -> Mapping[Function | None, list[Call]]:
        """Calls by the function that they stand in; a function without calls has an empty list."""
        found: defaultdict[Function | None, list[Call]] = defaultdict(list)
        for call in self.calls:
            found[call.function].append(call)
        return found

    @cached_property
    def call_of(self) -> dict[ast.Call, Call]:
        """Calls by their node."""
        return {call.node: call for call in self.calls}

    @cached_property
    def declared(self) -> Declared:
        """The DAGs and tasks that the text declares."""
        from harness.checks.source.declared import Declared

        return Declared(self)

    @property
    def tasks(self) -> list[TaskCall]:
        """The places where tasks are made."""
        return self.declared.tasks

    @property
    def makers(self) -> list[DagCall | TaskCall]:
        """The places where DAGs and tasks are made."""
        return [*self.declared.dags, *self.declared.tasks]

    @cached_property
    def dags(self) -> list[Dag]:
        """The DAGs as far as the text shows them."""
        from harness.checks.source.wiring import declared_dags

        return declared_dags(self, self.declared)

    def calls_to(self, *names: str) -> Iterator[Call]:
        """Yield the calls of functions with these qualified names; a name that ends in `.*` stands for all below it."""
        exact = {name for name in names if not name.endswith(".*")}
        below = tuple(name[:-1] for name in names if name.endswith(".*"))
        for call in self.calls:
            if call.name in exact or (below and call.name.startswith(below)):
                yield call

    @cached_property
    def imports(self) -> list[tuple[str, ast.Import | ast.ImportFrom]]:
        """Every imported module or name with its qualified name, and the statement that imports it."""
        found: list[tuple[str, ast.Import | ast.ImportFrom]] = []
        for node in self.names.nodes:
            if isinstance(node, ast.Import):
                found += [(alias.name, node) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                scope = self.names.scopes[node]
                found += [
                    (binding.target, node)
                    for alias in node.names
                    for binding in scope.bindings.get(alias.asname or alias.name, [])
                    if binding.node is node
                ]
        return found

    def of_type(self, *types: type[ast.AST]) -> Iterator[Any]:
        """Yield all nodes of these types, top to bottom."""
        return (node for node in self.names.nodes if isinstance(node, types))

    def value(self, node: ast.expr | None) -> Any:
        """Return what an expression is worth when the file is read."""
        return self.values.value(node)

    def is_known(self, node: ast.expr | None) -> bool:
        """Say whether an expression's value can be seen completely."""
        return known(self.value(node))

    def resolve(self, node: ast.expr) -> str:
        """Return the qualified name of what an expression stands for, or an empty string."""
        return self.names.resolve(node) or ""

    def strings(self, node: ast.expr | None) -> list[str]:
        """Return every string inside an expression's value: of a list, of a dict's values."""
        return list(_strings(self.value(node)))

    def functions(self, moment: Moment) -> Iterator[Function]:
        """Yield the functions whose body runs then."""
        return (f for f in self.code.functions.values() if moment in f.moments)


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _strings(inner)
        case list() | tuple():
            for inner in value:
                yield from _strings(inner)


__all__ = ["HOLE", "OPEN", "UNKNOWN", "Call", "Function", "SourceFile"]
