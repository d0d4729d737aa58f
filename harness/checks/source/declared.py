"""The DAGs and tasks that a file's text declares: which calls make them, with which arguments, in which DAG."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.checks.source.file import OPEN, UNKNOWN, Call, Function, SourceFile
from harness.checks.source.values import known

_OPERATOR_ENDINGS = ("Operator", "Sensor", "OperatorAsync", "SensorAsync")
_BASES = frozenset(("BaseOperator", "BaseSensorOperator", "BaseBranchOperator"))
_MAYBE = (
    *(ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.If, ast.IfExp, ast.Try),
)
"""What may run its inside any number of times but one."""


@dataclass(eq=False, slots=True)
class DagCall:
    """One place where a DAG is made.

    Args:
        node: the `DAG(...)` call, or the decorator.
        keywords: its arguments as written, `**` unpacked; `OPEN` among them when some cannot be seen.
        body: the function of a decorated DAG.
    """

    node: ast.expr
    dag_id: Any
    keywords: dict[str, ast.expr]
    file: SourceFile
    body: Function | None = None

    @property
    def line(self) -> int:
        return self.node.lineno

    def value(self, keyword: str) -> Any:
        """Return an argument's value; `UNKNOWN` when it is absent or cannot be seen."""
        return self.file.value(self.keywords.get(keyword))

    def states(self, *keywords: str) -> bool:
        """Whether any of these is given, or may be."""
        return OPEN in self.keywords or any(k in self.keywords for k in keywords)

    @property
    def given(self) -> dict[str, ast.expr]:
        """What it states itself or for its tasks: its arguments, and the entries of default_args over them."""
        return {**self.keywords, **self.defaults}

    @property
    def name(self) -> str | None:
        """The DAG's id when it can be seen."""
        return self.dag_id if isinstance(self.dag_id, str) and known(self.dag_id) else None

    @property
    def defaults(self) -> dict[str, ast.expr]:
        """The entries of `default_args` as written; `OPEN` among them when some cannot be seen."""
        given = self.keywords.get("default_args")
        if given is None:
            return {OPEN: self.node} if OPEN in self.keywords else {}
        entries = self.file.values.entries(given)
        return entries if entries is not None else {OPEN: given}


@dataclass(eq=False, slots=True)
class TaskCall:
    """One place where a task is made: an operator, or the call of a decorated function.

    Args:
        node: the call.
        operator: class name, or `@task`, `@task.branch` for a decorated function.
        qualified: the operator's qualified name.
        keywords: all arguments as written: of the decorator, `.partial`, `.override`, `.expand` and the call.
        expanded: names of the arguments that it is mapped over.
        dag: the DAG that it is lexically in.
        groups: the task groups around it, outermost first, by name; None for a name that cannot be seen.
        runs: the Python function that it runs.
        certain: made exactly once: not in a loop, a condition or a helper function.
    """

    node: ast.Call
    operator: str
    qualified: str
    keywords: dict[str, ast.expr]
    file: SourceFile
    expanded: tuple[str, ...] = ()
    dag: DagCall | None = None
    groups: tuple[str | None, ...] = ()
    runs: Function | None = None
    certain: bool = True
    arguments: list[ast.expr] = field(default_factory=list)

    @property
    def line(self) -> int:
        return self.node.lineno

    @property
    def given(self) -> dict[str, ast.expr]:
        """What it states itself."""
        return self.keywords

    @property
    def decorated(self) -> bool:
        return self.operator.startswith("@")

    def value(self, keyword: str) -> Any:
        """Return an argument's value, from the task or from its DAG's default_args; `UNKNOWN` when it is not seen."""
        return self.file.value(self.expression(keyword))

    def expression(self, keyword: str) -> ast.expr | None:
        """Return an argument as written, from the task or from its DAG's default_args."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        return self.inherited.get(keyword)

    @property
    def inherited(self) -> dict[str, ast.expr]:
        """The default_args that reach the task; `OPEN` among them when some cannot be seen."""
        own = self.keywords.get("default_args")
        entries: dict[str, ast.expr] = dict(self.dag.defaults) if self.dag else {OPEN: self.node}
        if own is not None:
            entries.update(self.file.values.entries(own) or {OPEN: own})
        return entries

    def states(self, *keywords: str) -> bool:
        """Whether any of these is given to the task or its DAG's default_args, or may be."""
        given = {**self.inherited, **self.keywords}
        return OPEN in given or any(k in given for k in keywords)

    @property
    def name(self) -> str | None:
        """The task's id with its groups, when it can be seen."""
        own = self.file.value(self.keywords.get("task_id"))
        if own is UNKNOWN and self.runs and self.decorated and "task_id" not in self.keywords:
            own = self.runs.short
        if not isinstance(own, str) or not known(own) or None in self.groups or OPEN in self.keywords:
            return None
        return ".".join([*(group for group in self.groups if group), own])


Made = DagCall | TaskCall


class Declared:
    """All DAGs and tasks that a file declares."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.dags: list[DagCall] = [*self._constructed(), *self._decorated()]
        self.dags.sort(key=lambda dag: dag.line)
        self._dag_of: dict[ast.AST, DagCall] = {dag.node: dag for dag in self.dags}
        self._dag_of |= {dag.body.node: dag for dag in self.dags if dag.body}
        self.tasks: list[TaskCall] = list(self._tasks())

    def _constructed(self) -> Iterator[DagCall]:
        for call in self.file.calls_to("airflow.sdk.DAG"):
            keywords = self.file.values.keywords(call.node)
            given = keywords.get("dag_id") or (call.node.args[0] if call.node.args else None)
            yield DagCall(call.node, self.file.value(given), keywords, self.file)

    def _decorated(self) -> Iterator[DagCall]:
        for function in self.file.code.functions.values():
            if function.role == "dag" and function.airflow is not None:
                node = function.airflow
                keywords = self.file.values.keywords(node) if isinstance(node, ast.Call) else {}
                given = keywords.get("dag_id") or (node.args[0] if isinstance(node, ast.Call) and node.args else None)
                dag_id = self.file.value(given) if given is not None else function.short
                yield DagCall(node, UNKNOWN if OPEN in keywords else dag_id, keywords, self.file, function)

    @cached_property
    def assets(self) -> list[Function]:
        """Functions under `@asset`, each of which is a DAG of one task."""
        return [f for f in self.file.code.functions.values() if f.role == "asset"]

    def _tasks(self) -> Iterator[TaskCall]:
        for call in self.file.calls:
            if "parse" not in call.moments and call.function is not None and call.function.moments:
                continue
            made = self._operator(call) or self._invoked(call)
            if made:
                self._place(made)
                yield made

    def _operator(self, call: Call) -> TaskCall | None:
        """Recognise `SomeOperator(...)` and `SomeOperator.partial(...).expand(...)`."""
        node, keywords, name = call.node, self.file.values.keywords(call.node), call.name
        expanded: tuple[str, ...] = ()
        if call.method in ("expand", "expand_kwargs") and isinstance(call.node.func, ast.Attribute):
            inner = call.node.func.value
            if not (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)):
                return None
            if inner.func.attr != "partial":
                return None
            expanded = _expanded(call, keywords)
            keywords = {**self.file.values.keywords(inner), **keywords}
            name = self.file.resolve(inner.func.value)
        cls = name.rpartition(".")[2] or (node.func.id if isinstance(node.func, ast.Name) else "")
        if cls in _BASES or not cls[:1].isupper() or not self._is_operator(cls, name, keywords):
            return None
        runs = self._callable(keywords.get("python_callable"))
        return TaskCall(node, cls, name, keywords, self.file, expanded, runs=runs, arguments=list(node.args))

    def _is_operator(self, cls: str, name: str, keywords: dict[str, ast.expr]) -> bool:
        if "task_id" in keywords:
            return True
        if not cls.endswith(_OPERATOR_ENDINGS):
            return False
        return name.startswith(("airflow.", ".")) or bool({"dag", "retries", OPEN} & keywords.keys())

    def _invoked(self, call: Call) -> TaskCall | None:
        """Recognise the call of a decorated function: `load(x)`, `load.override(...)(x)`, `load.expand(x=...)`."""
        function, extra, expanded = self._unwrap(call)
        if function is None or function.role != "task":
            return None
        decorator = function.airflow
        own = self.file.values.keywords(decorator) if isinstance(decorator, ast.Call) else {}
        kind = f"@task.{function.kind}" if function.kind else "@task"
        name = self.file.resolve(decorator).removesuffix("()") if decorator is not None else ""
        if name.endswith((".setup", ".teardown")):
            kind = f"@{name.rpartition('.')[2]}"
        inner = [] if expanded else [*call.node.args, *(k.value for k in call.node.keywords)]
        return TaskCall(call.node, kind, name, {**own, **extra}, self.file, expanded, runs=function, arguments=inner)

    def _unwrap(self, call: Call) -> tuple[Function | None, dict[str, ast.expr], tuple[str, ...]]:
        extra: dict[str, ast.expr] = {}
        expanded: tuple[str, ...] = ()
        func: ast.expr = call.node.func
        if isinstance(func, ast.Attribute) and func.attr in ("expand", "expand_kwargs"):
            expanded = _expanded(call, self.file.values.keywords(call.node))
            func = func.value
            while isinstance(func, ast.Call) and isinstance(func.func, ast.Attribute) and func.func.attr == "partial":
                func = func.func.value
        while isinstance(func, ast.Call) and isinstance(func.func, ast.Attribute) and func.func.attr == "override":
            extra = {**self.file.values.keywords(func), **extra}
            func = func.func.value
        target = self.file.resolve(func)
        return self.file.code.by_name.get(target), extra, expanded

    def _callable(self, node: ast.expr | None) -> Function | None:
        if node is None:
            return None
        if isinstance(node, ast.Lambda):
            return self.file.code.functions.get(node)
        if isinstance(node, ast.Call) and self.file.resolve(node.func).endswith("partial") and node.args:
            return self._callable(node.args[0])
        return self.file.code.by_name.get(self.file.resolve(node))

    def _place(self, task: TaskCall) -> None:
        """Find the DAG and the groups around a task, and whether it is made exactly once."""
        groups: list[str | None] = []
        explicit = task.keywords.get("dag")
        task.dag = self.dag_named(explicit) if explicit is not None else None
        inside: ast.AST = task.node
        for parent in self.file.names.ancestors(task.node):
            if isinstance(parent, _MAYBE):
                task.certain = False
            elif isinstance(parent, ast.With) and inside in parent.body:
                task.dag = task.dag or self.with_dag(parent)
                groups += self._with_groups(parent)
            elif isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                function = self.file.code.functions[parent]
                if function.role == "dag":
                    task.dag = task.dag or self._dag_of.get(parent)
                    break
                if function.role == "group":
                    groups.append(self._group_id(function))
                    continue
                task.certain = False
            inside = parent
        task.groups = tuple(reversed(groups))

    def dag_named(self, node: ast.expr) -> DagCall | None:
        """Return the DAG that a variable stands for."""
        if node in self._dag_of:
            return self._dag_of[node]
        if isinstance(node, ast.Name):
            found = self.file.names.scopes[node].find(node.id)
            for binding in reversed(found[1] if found else []):
                if binding.value is not None and binding.value in self._dag_of:
                    return self._dag_of[binding.value]
        return None

    def with_dag(self, node: ast.With) -> DagCall | None:
        """Return the DAG that a `with` statement opens."""
        for item in node.items:
            if dag := self.dag_named(item.context_expr):
                return dag
        return None

    def _with_groups(self, node: ast.With) -> Iterator[str | None]:
        for item in node.items:
            expr = item.context_expr
            if isinstance(expr, ast.Name):
                found = self.file.names.scopes[expr].find(expr.id)
                expr = next((b.value for b in (found[1] if found else []) if b.value is not None), expr)
            if isinstance(expr, ast.Call) and self.file.resolve(expr.func) == "airflow.sdk.TaskGroup":
                yield self.group_name(expr)

    def group_name(self, call: ast.Call) -> str | None:
        """Return the prefix that a `TaskGroup(...)` gives its tasks: empty without one, None when it is not seen."""
        keywords = self.file.values.keywords(call)
        if self.file.value(keywords.get("prefix_group_id")) is False:
            return ""
        return self.file.values.text(keywords.get("group_id") or (call.args[0] if call.args else None))

    def _group_id(self, function: Function) -> str | None:
        node = function.airflow
        if not isinstance(node, ast.Call):
            return function.short
        keywords = self.file.values.keywords(node)
        if self.file.value(keywords.get("prefix_group_id")) is False:
            return ""
        return self.file.values.text(keywords["group_id"]) if "group_id" in keywords else function.short


def _expanded(call: Call, keywords: dict[str, ast.expr]) -> tuple[str, ...]:
    return tuple(keywords) if call.method == "expand" else ("**",)
