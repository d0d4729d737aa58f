"""What a name in a file means: its imports, aliases and scopes, resolved to one qualified name for each thing.

A name that stands for the file's own function or class begins with a dot (`.load`); the result of a call ends in
`()`, so that `boto3.client("s3").put_object` resolves to `boto3.client().put_object`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

BindingKind = Literal["import", "value", "function", "class", "parameter", "item", "context", "other"]


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set: how vocabularies are written down here."""
    return frozenset(text.split())


FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode = ast.Module | ast.ClassDef | FunctionNode

SDK_NAMES = words(
    "DAG dag task task_group setup teardown asset Asset AssetAlias AssetAll AssetAny BaseHook BaseOperator "
    "BaseSensorOperator BaseNotifier BaseXCom BaseBranchOperator Connection Variable Param ParamsDict TaskGroup Label "
    "TriggerRule WeightRule XComArg chain chain_linear cross_downstream get_current_context literal DeadlineAlert "
    "CronDataIntervalTimetable CronTriggerTimetable DeltaDataIntervalTimetable DeltaTriggerTimetable "
    "MultipleCronTriggerTimetable EventsTimetable AssetOrTimeSchedule PokeReturnValue ObjectStoragePath"
)
"""Names that Airflow has moved about between its own modules; each has its home in `airflow.sdk`."""

MAX_DEPTH = 12
"""How far chains of aliases are followed: real files need two or three, and a cycle must end."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One place where a name gets its meaning.

    Args:
        node: the statement or expression that binds it.
        target: the qualified name of an import.
        value: the expression that it is bound to; for a loop, the iterable; for `with`, the context manager.
    """

    kind: BindingKind
    node: ast.AST
    target: str = ""
    value: ast.expr | None = None

    @property
    def line(self) -> int:
        return getattr(self.node, "lineno", 0)


@dataclass(slots=True)
class Scope:
    """A module, class or function body and the names bound in it."""

    node: ScopeNode
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)

    @property
    def is_function(self) -> bool:
        return isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)

    def find(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """Return the scope that binds `name` as Python would find it from here, and how it does."""
        scope: Scope | None = self
        while scope:
            visible = scope is self or not isinstance(scope.node, ast.ClassDef)
            if visible and name in scope.bindings and name not in scope.shared:
                return scope, scope.bindings[name]
            scope = scope.parent
        return None


def canonical(name: str) -> str:
    """Give the many homes of Airflow's own names their one home in `airflow.sdk`."""
    module, _, last = name.rpartition(".")
    if not name.startswith("airflow.") or name.startswith(("airflow.sdk.", "airflow.providers.")):
        if last in SDK_NAMES and module.startswith("airflow.sdk.") and not module.startswith("airflow.sdk.task"):
            return f"airflow.sdk.{last}"
        return name
    if last in SDK_NAMES and (last[0].isupper() or module.split(".")[-1] in _LOWER_HOMES):
        return f"airflow.sdk.{last}"
    return name


_LOWER_HOMES = frozenset(
    ("decorators", "airflow", "helpers", "baseoperator", "edgemodifier", "task_group", "setup_teardown", "assets")
)


def spelled(node: ast.expr) -> str | None:
    """Return a dotted name as it is written, or None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := spelled(node.value)):
        return f"{base}.{node.attr}"
    return None


def resolve(node: ast.expr, scope: Scope, depth: int = 0) -> str | None:
    """Return the qualified name of what an expression stands for, or None when that cannot be seen."""
    if depth > MAX_DEPTH:
        return None
    match node:
        case ast.Name(id=name):
            return _resolve_name(name, node, scope, depth)
        case ast.Attribute(value=value, attr=attr):
            base = resolve(value, scope, depth + 1)
            return canonical(f"{base}.{attr}") if base else None
        case ast.Call(func=func):
            base = resolve(func, scope, depth + 1)
            return f"{base}()" if base else None
        case ast.Await(value=value):
            return resolve(value, scope, depth + 1)
        case ast.NamedExpr(value=value):
            return resolve(value, scope, depth + 1)
    return None


def _resolve_name(name: str, node: ast.expr, scope: Scope, depth: int) -> str | None:
    found = scope.find(name)
    if not found:
        return name if name in _BUILTINS else None
    owner, bindings = found
    binding = current(bindings, node, same=owner is scope)
    if binding is None:
        targets = {canonical(b.target) for b in bindings if b.kind == "import"}
        return targets.pop() if len(targets) == 1 and all(b.kind == "import" for b in bindings) else None
    match binding.kind:
        case "import":
            return canonical(binding.target)
        case "function" | "class":
            return _local_name(owner, name)
        case "value" | "context" if binding.value is not None:
            return resolve(binding.value, owner, depth + 1)
    return None


def _local_name(owner: Scope, name: str) -> str:
    parts = [name]
    scope: Scope | None = owner
    while scope and not isinstance(scope.node, ast.Module):
        parts.append(getattr(scope.node, "name", "<lambda>"))
        scope = scope.parent
    return "." + ".".join(reversed(parts))


def current(bindings: list[Binding], use: ast.expr, *, same: bool) -> Binding | None:
    """Return the binding in force at `use`: the only one, or within one scope the last before it.

    A name that is bound in several ways and used from another scope has no single meaning: None.
    """
    if len(bindings) == 1:
        return bindings[0]
    if all(b.kind == "import" for b in bindings):
        return bindings[0]
    before = [b for b in bindings if b.line <= use.lineno]
    if same and before:
        last = max(before, key=lambda b: b.line)
        return last if last.line < use.lineno or last.kind != "value" else None
    return None


_BUILTINS = words(
    "open print exec eval exit quit input len sorted list dict set tuple str int float range zip map filter enumerate "
    "sum min max any all getattr setattr isinstance super iter next hash id vars globals locals __import__"
)


class _Binder(ast.NodeVisitor):
    """Fills the scopes of one module in a single walk, and notes each node's parent and scope."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.parents: dict[ast.AST, ast.AST] = {}
        self.scopes: dict[ast.AST, Scope] = {}
        self.inner: dict[ast.AST, Scope] = {}
        self.nodes: list[ast.AST] = []
        self.scope: Scope

    def generic_visit(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.parents[child] = node
            self.visit(child)

    def visit(self, node: ast.AST) -> None:
        self.nodes.append(node)
        self.scopes[node] = getattr(self, "scope", None) or Scope(ast.Module([], []))
        super().visit(node)

    def visit_Module(self, node: ast.Module) -> None:
        self.scope = self.scopes[node] = self.inner[node] = Scope(node)
        self.generic_visit(node)

    def _bind(self, name: str, binding: Binding) -> None:
        self.scope.bindings.setdefault(name, []).append(binding)

    def _bind_target(self, target: ast.expr, kind: BindingKind, value: ast.expr | None, node: ast.AST) -> None:
        match target:
            case ast.Name(id=name):
                self._bind(name, Binding(kind, node, value=value))
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                values: list[ast.expr | None] = [None] * len(elements)
                if kind == "value" and isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(elements):
                    values = list(value.elts)
                for element, part in zip(elements, values, strict=True):
                    inner: BindingKind = kind if part is not None or kind == "item" else "other"
                    self._bind_target(element, inner, part, node)
            case ast.Starred(value=inner_target):
                self._bind_target(inner_target, "other", None, node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self._bind(alias.asname, Binding("import", node, alias.name))
            else:
                top = alias.name.partition(".")[0]
                self._bind(top, Binding("import", node, top))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = self.absolute(node)
        for alias in node.names:
            self._bind(alias.asname or alias.name, Binding("import", node, f"{module}.{alias.name}"))

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the module of a `from` import; a relative one counts from this file's package."""
        if not node.level:
            return node.module or ""
        parts = self.package.split(".") if self.package else []
        base = parts[: len(parts) - (node.level - 1)]
        return ".".join([*base, *([node.module] if node.module else [])]) or "."

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind_target(target, "value", node.value, node)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._bind_target(node.target, "value", node.value, node)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._bind_target(node.target, "other", None, node)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bind_target(node.target, "value", node.value, node)
        self.generic_visit(node)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._bind_target(node.target, "item", node.iter, node)
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._bind_target(node.target, "item", node.iter, node.target)
        self.generic_visit(node)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            if item.optional_vars is not None:
                self._bind_target(item.optional_vars, "context", item.context_expr, node)
        self.generic_visit(node)

    visit_AsyncWith = visit_With

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name, Binding("other", node))
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.shared.update(node.names)

    visit_Nonlocal = visit_Global

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name, Binding("class", node))
        self._outside(node, [*node.decorator_list, *node.bases, *node.keywords])
        self._inside(node, node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node.name, Binding("function", node))
        self._outside(node, [*node.decorator_list, node.args, *([node.returns] if node.returns else [])])
        self._inside(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._outside(node, [node.args])
        self._inside(node, [node.body])

    def _outside(self, node: ast.AST, children: Sequence[ast.AST]) -> None:
        """Visit what is evaluated where the definition stands: decorators, defaults, bases."""
        for child in children:
            self.parents[child] = node
            self.visit(child)

    def _inside(self, node: ScopeNode, body: list[ast.stmt] | list[ast.expr]) -> None:
        outer, self.scope = self.scope, Scope(node, self.scope)
        self.inner[node] = self.scope
        for name, argument in _parameters(node):
            self._bind(name, Binding("parameter", argument))
        for child in body:
            self.parents[child] = node
            self.visit(child)
        self.scope = outer


def _parameters(node: ScopeNode) -> Iterator[tuple[str, ast.arg]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        yield from ((argument.arg, argument) for argument in every if argument)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one module.

    Args:
        scopes: the scope that each node is evaluated in.
        inner: the scope that each module, class, function or lambda opens.
        parents: the node around each node.
        nodes: all of them, in reading order.
    """

    scopes: dict[ast.AST, Scope]
    inner: dict[ast.AST, Scope]
    parents: dict[ast.AST, ast.AST]
    nodes: list[ast.AST]

    @classmethod
    def of(cls, tree: ast.Module, package: str = "") -> Names:
        """Read the names of a module; `package` is the dotted package that it is in, for relative imports."""
        binder = _Binder(package)
        binder.visit(tree)
        return cls(binder.scopes, binder.inner, binder.parents, binder.nodes)

    def resolve(self, node: ast.expr) -> str | None:
        """Return the qualified name of what an expression stands for."""
        return resolve(node, self.scopes[node])

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what encloses a node, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent
