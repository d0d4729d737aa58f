"""What a check keeps of one DAG file: its own findings, and what rules about the whole project need to know of it.

Facts are plain data, so that a file that has not changed needs neither be read nor loaded again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.checks.graph import Dag
from harness.checks.model import Finding
from harness.checks.source.code import Leaving
from harness.checks.source.file import SourceFile
from harness.checks.source.needs import Need, needs_of
from harness.checks.suppress import Suppression, suppressions
from harness.checks.usage import Usage, of_code, of_dag
from harness.models.base import Frozen


class DagFact(Frozen):
    """One place where a DAG is made.

    Args:
        arms: the branches of `if` and `try` around it, outermost first: (line, branch).
        uncalled: a decorated function that this file never calls.
    """

    dag_id: str
    line: int
    column: int = 1
    arms: tuple[tuple[int, str], ...] = ()
    uncalled: str | None = None

    def excludes(self, other: DagFact) -> bool:
        """Whether only one of the two is made, because they stand in different branches."""
        mine = dict(self.arms)
        return any(line in mine and mine[line] != arm for line, arm in other.arms)


class Reference(Frozen):
    """One place where a DAG is named by another: it is triggered, or waited for."""

    keyword: str
    dag_id: str
    line: int
    column: int = 1


class Idle(Frozen):
    """A function under `@task` that its file never calls."""

    name: str
    line: int
    column: int = 1


class FileFacts(Frozen):
    """One DAG file.

    Args:
        dags: the DAGs that it defines, loaded or else read.
        declared: the places where its text makes DAGs.
        findings: what its own rules found, with the name that a finding is about.
        idle: decorated tasks that it never calls.
        needs: what it imports in tasks, or can do without.
        leaving: what it uses of other modules.
        imports: the last parts of what it imports.
    """

    path: str
    dags: tuple[str, ...] = ()
    declared: tuple[DagFact, ...] = ()
    references: tuple[Reference, ...] = ()
    usages: tuple[Usage, ...] = ()
    idle: tuple[Idle, ...] = ()
    needs: tuple[Need, ...] = ()
    leaving: tuple[Leaving, ...] = ()
    imports: frozenset[str] = frozenset()
    suppressions: tuple[Suppression, ...] = ()
    findings: tuple[tuple[Finding, str | None], ...] = ()


def facts_of(path: str, file: SourceFile | None, dags: list[Dag], *, loaded: bool = False) -> FileFacts:
    """Return what is to be known of a file, without findings.

    Args:
        file: None for an archive, or what is no Python.
        dags: as Airflow has loaded them, or as the source shows them.
        loaded: Airflow has loaded the file, so that `dags` are all there are.
    """
    used = [use for dag in dags for use in of_dag(dag)]
    ids = tuple(dag.dag_id for dag in dags)
    declared = _declared(file) if file is not None else []
    if loaded:
        uncalled = [made for made in declared if made.uncalled and made.dag_id not in ids]
        declared = [*(DagFact(dag_id=d.dag_id, line=d.line, column=d.column) for d in dags), *uncalled]
    if file is None:
        return FileFacts(path=path, dags=ids, declared=tuple(declared), usages=tuple(used))
    only = dags[0].dag_id if len({dag.dag_id for dag in dags}) == 1 else None
    used += [use if use.dag_id or not only else use.model_copy(update={"dag_id": only}) for use in of_code(file)]
    assets = [] if any(dag.loaded for dag in dags) else [function.short for function in file.declared.assets]
    return FileFacts(
        path=path,
        dags=(*ids, *assets),
        declared=tuple(declared),
        references=tuple(_references(file)),
        usages=tuple(used),
        idle=tuple(_idle(file)),
        needs=tuple(needs_of(file)),
        leaving=tuple(dict.fromkeys(file.reach.leaving)),
        imports=frozenset(name.rpartition(".")[2] for name, _ in file.imports),
        suppressions=tuple(suppressions(file.text)),
    )


def _declared(file: SourceFile) -> list[DagFact]:
    found = []
    for dag in file.declared.dags:
        if dag.body is None and not file.code.moments(dag.node):
            continue  # in a function that nobody is seen to call
        uncalled = dag.body.short if dag.body and not _called(file, dag.body.short, dag.body.node) else None
        made = DagFact(dag_id=dag.name or "", line=dag.line, column=dag.node.col_offset + 1)
        found.append(made.model_copy(update={"arms": _arms(file, dag.node), "uncalled": uncalled}))
    return found


def _idle(file: SourceFile) -> Iterator[Idle]:
    """Yield the decorated tasks that nothing in the file speaks of again; one inside a plain function is left alone."""
    named = {n.id for n in file.of_type(ast.Name) if isinstance(n.ctx, ast.Load)}
    named |= {n.attr for n in file.of_type(ast.Attribute)} | {n.value for n in file.of_type(ast.Constant)}
    for function in file.code.functions.values():
        outer = file.code.around(function.node)
        inside = outer is None or outer.role in ("dag", "group")
        alone = not any(decorator.startswith("airflow.sdk.asset") for decorator in function.decorators)
        of_class = file.code.of_class(function) is not None
        if function.airflow is None or function.role != "task" or not inside or not alone or of_class:
            continue
        if function.short not in named:
            column = function.airflow.col_offset + 1
            yield Idle(name=function.short, line=function.airflow.lineno, column=column)


def _called(file: SourceFile, name: str, node: ast.AST) -> bool:
    """Whether a decorated DAG is named anywhere but in a script's main part; one inside a function is left alone."""
    if file.code.around(node):
        return True
    loads = [n for n in file.of_type(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
    return any("parse" in file.code.moments(n) or file.code.around(n) for n in loads)


def _arms(file: SourceFile, node: ast.AST) -> tuple[tuple[int, str], ...]:
    arms = []
    inner = node
    for parent in file.names.ancestors(node):
        if isinstance(parent, ast.If | ast.Try | ast.Match):
            arms.append((parent.lineno, arm_of(parent, inner)))
        inner = parent
    return tuple(reversed(arms))


def arm_of(parent: ast.AST, child: ast.AST) -> str:
    """Return the name of the field of a statement that a node stands in: `body` or `orelse`."""
    return next(
        (
            name
            for name, value in ast.iter_fields(parent)
            if value is child or (isinstance(value, list) and child in value)
        ),
        "",
    )


def _references(file: SourceFile) -> list[Reference]:
    found = []
    for task in file.tasks:
        for keyword in ("external_dag_id", "trigger_dag_id"):
            wanted = file.values.text(task.keywords.get(keyword))
            if wanted and "{{" not in wanted:
                column = task.node.col_offset + 1
                found.append(Reference(keyword=keyword, dag_id=wanted, line=task.line, column=column))
    return found
