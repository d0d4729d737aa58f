"""When code runs: while the file is parsed, inside a task, or never that we can see."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from harness.checks.source.names import FunctionNode, Names, Scope, words

Moment = Literal["parse", "task", "main"]
Role = Literal["plain", "task", "dag", "group", "asset"]

Leaving = tuple[str, Moment, Literal["call", "import"]]
"""Something of another module that a file uses: its qualified name, when, and how."""

CALLBACKS = words(
    "on_failure_callback on_success_callback on_retry_callback on_skipped_callback on_execute_callback "
    "sla_miss_callback"
)
RUN_LATER = CALLBACKS | words(
    "python_callable execution_date_fn poke_fn apply_function event_triggered_function response_check "
    "response_filter processor_function condition producer_function"
)
"""Keyword arguments of operators whose function runs in a task, never while the file is parsed."""

_TASK_CLASSES = ("Operator", "Sensor", "Hook", "Notifier", "Trigger", "Timetable", "Mixin")
_PARSE_METHODS = frozenset(("__init__", "__init_subclass__", "__new__", "__set_name__", "__post_init__"))
_ROLES: dict[str, Role] = {
    "airflow.sdk.task": "task",
    "airflow.sdk.setup": "task",
    "airflow.sdk.teardown": "task",
    "airflow.sdk.dag": "dag",
    "airflow.sdk.task_group": "group",
    "airflow.sdk.asset": "asset",
}


@dataclass(eq=False, slots=True)
class Function:
    """One function of a file.

    Args:
        name: qualified name in the file (`.load`, `.Loader.execute`).
        role: what Airflow's decorator makes of it.
        decorators: qualified names of its decorators, without their calls.
        airflow: the decorator that gives it its role.
        moments: when its body runs, filled by `Reach`.
    """

    name: str
    node: FunctionNode
    role: Role = "plain"
    decorators: tuple[str, ...] = ()
    airflow: ast.expr | None = None
    moments: set[Moment] = field(default_factory=set)

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def body(self) -> list[ast.stmt]:
        return [ast.Return(self.node.body)] if isinstance(self.node, ast.Lambda) else self.node.body

    @property
    def kind(self) -> str:
        """The flavour of a task decorator: `branch` of `@task.branch`; empty for a plain one."""
        for decorator in self.decorators:
            if decorator.startswith("airflow.sdk.task."):
                return decorator.removeprefix("airflow.sdk.task.").partition("(")[0]
        return ""


class Code:
    """The functions of a file, and the moments at which each piece of it runs.

    `top` says when the module itself is run: while DAG files are parsed, or only when a task imports it.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.top: set[Moment] = set()
        self.functions: dict[ast.AST, Function] = {
            node: self._function(node)
            for node in names.nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        }
        self.by_name = {function.name: function for function in self.functions.values()}
        self._around: dict[ast.AST, Function | None] = {}
        self._outside: dict[ast.AST, set[Moment]] = {}
        self._aside = {id(n): moment for node in names.nodes for n, moment in _asides(node)}

    def _function(self, node: FunctionNode) -> Function:
        scope = self.names.scopes[node]
        label = getattr(node, "name", f"<lambda:{node.lineno}:{node.col_offset}>")
        name = "." + ".".join([*_outer_names(scope), label])
        decorators = []
        role: Role = "plain"
        airflow: ast.expr | None = None
        for decorator in getattr(node, "decorator_list", []):
            target = self.names.resolve(decorator) or ""
            bare = target.replace("()", "")
            decorators.append(bare)
            for known, given in _ROLES.items():
                if bare == known or bare.startswith(f"{known}."):
                    role, airflow = given, decorator
        return Function(name, node, role, tuple(decorators), airflow)

    def around(self, node: ast.AST) -> Function | None:
        """Return the function whose body evaluates a node; None at module level."""
        scope = self.names.scopes.get(node)
        if scope is None:
            return None
        if scope.node not in self._around:
            outer: Scope | None = scope
            while outer and not outer.is_function:
                outer = outer.parent
            self._around[scope.node] = self.functions[outer.node] if outer else None
        return self._around[scope.node]

    def moments(self, node: ast.AST) -> set[Moment]:
        """Return when a node is evaluated: an empty set when nothing is seen to run it."""
        function = self.around(node)
        if function:
            return function.moments
        if not self._aside:
            return self.top
        if node not in self._outside:
            self._outside[node] = self._module_moments(node)
        return self._outside[node]

    def _module_moments(self, node: ast.AST) -> set[Moment]:
        current: ast.AST | None = node
        while current is not None:
            if id(current) in self._aside:
                moment = self._aside[id(current)]
                return {moment} if moment else set()
            current = self.names.parents.get(current)
        return self.top

    def of_class(self, function: Function) -> ast.ClassDef | None:
        """Return the class that a method belongs to."""
        scope = self.names.scopes[function.node]
        return scope.node if isinstance(scope.node, ast.ClassDef) else None

    def within(self, function: Function) -> Iterator[ast.AST]:
        """Yield every node of a function's body, nested functions included."""
        for statement in function.body:
            yield from ast.walk(statement)


def _outer_names(scope: Scope) -> list[str]:
    names: list[str] = []
    current: Scope | None = scope
    while current and not isinstance(current.node, ast.Module):
        names.append(getattr(current.node, "name", "<lambda>"))
        current = current.parent
    return names[::-1]


def _asides(node: ast.AST) -> Iterator[tuple[ast.stmt, Moment | None]]:
    """Yield statements of a module that an import does not run: scripts' main parts and imports for type checkers."""
    if isinstance(node, ast.If):
        test = ast.unparse(node.test) if isinstance(node.test, ast.Compare | ast.Name | ast.Attribute) else ""
        if "__name__" in test and "__main__" in test:
            yield from ((statement, "main") for statement in node.body)
        elif test.endswith("TYPE_CHECKING"):
            yield from ((statement, None) for statement in node.body)


class Reach:
    """Follows calls from the places where code is known to run, and marks every function that they arrive at."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.names = code.names
        self.calls: dict[Function | None, list[ast.Call]] = {}
        self.leaving: list[Leaving] = []
        self.imports: dict[Function | None, list[ast.Import | ast.ImportFrom]] = {}
        for node in self.names.nodes:
            if isinstance(node, ast.Call):
                self.calls.setdefault(code.around(node), []).append(node)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.imports.setdefault(code.around(node), []).append(node)

    def run(self) -> None:
        """Mark all functions that Airflow itself runs, and what they call."""
        for function in self.code.functions.values():
            for moment in self._start(function):
                self.mark(function, moment)

    def enter(self, moment: Moment) -> None:
        """Note that the module is run then, and follow what its top calls and imports."""
        if moment in self.code.top:
            return
        self.code.top.add(moment)
        for call in self.calls.get(None, []):
            if moment in self.code.moments(call):
                self._follow(call, moment)
        for node in self.imports.get(None, []):
            if moment in self.code.moments(node):
                self._leave_by_import(node, moment)

    def _leave_by_import(self, node: ast.Import | ast.ImportFrom, moment: Moment) -> None:
        scope = self.names.scopes[node]
        for alias in node.names:
            bound = scope.bindings.get(alias.asname or alias.name.partition(".")[0], [])
            target = next((b.target for b in bound if b.node is node), alias.name)
            name = alias.name if isinstance(node, ast.Import) else target
            self.leaving.append((name, moment, "import"))

    def _start(self, function: Function) -> Iterator[Moment]:
        if function.role in ("dag", "group"):
            yield "parse"
        elif function.role in ("task", "asset") or self._runs_later(function.node):
            yield "task"
        elif owner := self.code.of_class(function):
            bases = [self.names.resolve(base) or ast.unparse(base) for base in owner.bases]
            if any(base.endswith(_TASK_CLASSES) for base in bases):
                yield "parse" if function.short in _PARSE_METHODS else "task"

    def _runs_later(self, node: ast.AST) -> bool:
        """Whether a lambda stands where an operator takes a function."""
        parent = self.names.parents.get(node)
        return isinstance(parent, ast.keyword) and parent.arg in RUN_LATER

    def mark(self, function: Function, moment: Moment) -> None:
        """Note that a function runs then, and follow what it calls."""
        if moment in function.moments:
            return
        function.moments.add(moment)
        for call in self.calls.get(function, []):
            self._follow(call, moment)
        for node in self.imports.get(function, []):
            self._leave_by_import(node, moment)
        for inner in self.code.functions.values():
            if inner.role == "plain" and self.code.around(inner.node) is function and self._inherits(inner, moment):
                self.mark(inner, moment)

    def _inherits(self, inner: Function, moment: Moment) -> bool:
        """Whether a function inside another one runs when that one does, as far as can be said without its call."""
        if self._runs_later(inner.node):
            return False
        return moment == "task" or isinstance(inner.node, ast.Lambda)

    def _follow(self, call: ast.Call, moment: Moment) -> None:
        target = self.names.resolve(call.func)
        if target:
            self._arrive(target, moment, call)
        for keyword in call.keywords:
            if keyword.arg in RUN_LATER:
                self._hand_over(keyword.value, call)
            elif keyword.arg in ("default_args",) and isinstance(keyword.value, ast.Dict):
                self._hand_over_all(keyword.value, call)
        if moment == "task":
            for argument in [*call.args, *(k.value for k in call.keywords)]:
                if isinstance(argument, ast.Name | ast.Attribute) and (name := self.names.resolve(argument)):
                    self._arrive(name, "task", call)

    def _hand_over_all(self, node: ast.Dict, call: ast.Call) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in RUN_LATER:
                self._hand_over(value, call)

    def _hand_over(self, node: ast.expr, call: ast.Call) -> None:
        """Follow a function that is given to an operator: by name, in a list, or through `partial`."""
        match node:
            case ast.Name() | ast.Attribute():
                if name := self.names.resolve(node):
                    self._arrive(name.removesuffix("()"), "task", call)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                for element in elements:
                    self._hand_over(element, call)
            case ast.Call(args=[first, *_]) if (self.names.resolve(node.func) or "").endswith("partial"):
                self._hand_over(first, call)

    def _arrive(self, target: str, moment: Moment, call: ast.Call) -> None:
        if not target.startswith("."):
            self.leaving.append((target, moment, "call"))
            return
        target = target.replace("()", "")
        function = self.code.by_name.get(target) or self.code.by_name.get(f"{target}.__init__")
        if function and (function.role == "plain" or (function.role == "group" and moment == "parse")):
            self.mark(function, moment)
