"""Writes docs/pipelines.md from the DAGs themselves: their docstrings, graphs, environment entries, notes and tests.

A DAG file that is added is on the page when this is run again; nothing here names a pipeline. What is too long for a
docstring stands beside the DAG file, in a file of its name that ends in `.md`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

from harness.checks.config import Settings
from harness.checks.graph import Dag, Task
from harness.checks.load import Loader
from harness.checks.run import environ_of
from harness.environment import Environment
from harness.environment.spec import NameRef

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path("docs/pipelines.md")

_HEAD = """\
# Pipelines

The suite's pipelines, each an example of its kind: what it does, what it teaches, and which tests hold it to that.
This page is made by `make docs` from the DAGs' own docstrings and graphs, from their entries in
`environments/base.yaml`, and from the tests that run them. In the graphs, a sensor is a rounded box and a branch a
rhombus; a label on an arrow is a trigger rule other than `all_success`.
"""

#: Mermaid's shapes, by what a task is
_SHAPES = {"sensor": ('(["', '"])'), "branch": ('{"', '"}')}


@dataclass(frozen=True)
class Section:
    """The DAGs of one file that have one docstring; a configuration can make several such.

    Args:
        path: of the file, from the root of the repository.
        dags: at least one.
    """

    path: Path
    dags: tuple[Dag, ...]

    @property
    def title(self) -> str:
        return self.dag.dag_id if len(self.dags) == 1 else self.path.stem

    @property
    def dag(self) -> Dag:
        return self.dags[0]


def main(arguments: Sequence[str]) -> int:
    """Write the page; with `--check`, say whether it is what it would be, and write nothing."""
    wanted = page(ROOT)
    target = ROOT / TARGET
    if "--check" in arguments:
        if target.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{TARGET} is not what the DAGs say; run: make docs", file=sys.stderr)
        return 1
    target.write_text(wanted, encoding="utf-8")
    return 0


def page(root: Path) -> str:
    """Return the whole page; raises ValueError for a DAG file that Airflow cannot load."""
    environment = Environment.load("dev", folder=root / "environments")
    found = sections(root, environment)
    parts = [_HEAD, "| pipeline | what it does | roles |", "|---|---|---|"]
    for one in found:
        summary = re.sub(r"\s+", " ", summary_of(one.dag))
        parts.append(
            f"| [{one.title}](#{anchor(one.title)}) | {summary} | {', '.join(roles(one, environment, root))} |"
        )
    for one in found:
        parts += ["", *lines_of(one, environment, root)]
    return "\n".join(parts) + "\n"


def sections(root: Path, environment: Environment) -> list[Section]:
    """Load all DAG files, and return their DAGs by folder and file."""
    files = sorted(str(path.relative_to(root)) for path in (root / "dags").rglob("*.py"))
    loaded = Loader((root / "dags", root), Settings(), environ_of(environment)).load(files)
    if bad := [f"{name}: {one.error or one.ended}" for name, one in loaded.items() if not one.complete]:
        raise ValueError("; ".join(bad))
    found = []
    for name in files:
        alike: dict[str | None, list[Dag]] = {}
        for dag in sorted(loaded[name].dags, key=lambda dag: dag.dag_id):
            alike.setdefault(dag.doc, []).append(dag)
        found += [Section(Path(name), tuple(dags)) for dags in alike.values()]
    return found


def lines_of(section: Section, environment: Environment, root: Path) -> Iterator[str]:
    """Yield a section's lines."""
    dag = section.dag
    path = section.path.as_posix()
    yield from (f"## {section.title}", "", summary_of(dag), "", "```mermaid", graph(section), "```", "")
    yield from ("| | |", "|---|---|")
    facts = {
        "code": f"[{path}](../{path})",
        **({"DAGs": ", ".join(f"`{one.dag_id}`" for one in section.dags)} if len(section.dags) > 1 else {}),
        "schedule": schedule(section, root),
        "roles": ", ".join(roles(section, environment, root)),
        **declared(section, environment),
    }
    yield from (f"| {name} | {value} |" for name, value in facts.items())
    if lesson := lesson_of(dag):
        yield from ("", "### What it teaches", "", lesson)
    notes = root / section.path.with_suffix(".md")
    if notes.is_file():
        yield from ("", notes.read_text(encoding="utf-8").strip())
    yield from ("", "### Tests", "", *tests_of(section, root))


def summary_of(dag: Dag) -> str:
    """Return the first paragraph of a DAG's docstring."""
    return cleandoc(dag.doc or "").partition("\n\n")[0]


def lesson_of(dag: Dag) -> str:
    """Return what follows the first paragraph."""
    return cleandoc(dag.doc or "").partition("\n\n")[2]


def graph(section: Section) -> str:
    """Return the graphs of a section's DAGs as Mermaid draws them, each in a frame when there are several."""
    lines = ["graph LR"]
    for number, dag in enumerate(section.dags):
        drawn = list(_drawn(dag, f"d{number}t"))
        if len(section.dags) > 1:
            drawn = [f"  subgraph {dag.dag_id}", *drawn, "  end"]
        lines += drawn
    return "\n".join(lines)


def _drawn(dag: Dag, prefix: str) -> Iterator[str]:
    names = {task.task_id: f"{prefix}{number}" for number, task in enumerate(dag.ordered())}
    for task in dag.ordered():
        yield f"  {names[task.task_id]}{_shape(task)}"
    for task in dag.ordered():
        rule = "" if task.trigger_rule == "all_success" else f"|{task.trigger_rule}|"
        yield from (f"  {names[one]} -->{rule} {names[task.task_id]}" for one in sorted(task.upstream))


def _shape(task: Task) -> str:
    opens, closes = _SHAPES.get(task.kind, ('["', '"]'))
    return f"{opens}{task.task_id}{' (mapped)' if task.mapped else ''}{closes}"


def roles(section: Section, environment: Environment, root: Path) -> list[str]:
    """Return the roles of the services that a DAG file names by their connections, variables and pools."""
    airflow, services = environment.spec.airflow, environment.spec.services
    known = {name: one.service for name, one in airflow.connections.items()}
    known |= {name: one.service for name, one in airflow.variables.items() if isinstance(one, NameRef)}
    known |= {name: name for name in airflow.pools}
    used = {known[text] for text in texts(section, root) if text in known}
    for dag in section.dags:
        if entry := environment.spec.dags.get(dag.dag_id):
            used |= entry.outputs.keys() | entry.staging.keys()
    return sorted({services[name].role for name in used if name in services})


def texts(section: Section, root: Path) -> set[str]:
    """Return the texts that stand in a DAG file, and in the configuration files beside it."""
    path = root / section.path
    tree = Named().visit(ast.parse(path.read_text(encoding="utf-8")))
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for beside in sorted(path.parent.glob("*.json")):
        found |= set(re.findall(r'"([^"]+)"', beside.read_text(encoding="utf-8")))
    return found


class Named(ast.NodeTransformer):
    """Leaves out what is no name of a connection or variable, though it may read like one: owners and tags."""

    def visit_Dict(self, node: ast.Dict) -> ast.Dict:
        """Leave out the value of the key `owner`."""
        self.generic_visit(node)
        kept = [pair for pair in zip(node.keys, node.values, strict=True) if ast.unparse(pair[0] or node) != "'owner'"]
        return ast.Dict([key for key, _ in kept], [value for _, value in kept])

    def visit_keyword(self, node: ast.keyword) -> ast.keyword | None:
        """Leave out the argument `tags`."""
        return None if node.arg in ("owner", "tags") else self.generic_visit(node)  # type: ignore[return-value]


def schedule(section: Section, root: Path) -> str:
    """Return a DAG's schedule as its file states it: of a timetable Airflow keeps the class only."""
    stated = section.dag.schedule
    if stated is None:
        return "none: it is started by another, or by hand"
    for node in ast.walk(ast.parse((root / section.path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == stated:
            return f"`{ast.unparse(node)}`"
    return f"`{stated}`"


def declared(section: Section, environment: Environment) -> dict[str, str]:
    """Return what the environment declares about a section's DAGs, as rows of its table."""
    rows: dict[str, list[str]] = {}
    for dag in section.dags:
        entry = environment.spec.dags.get(dag.dag_id)
        if entry is None:
            continue
        rows.setdefault("publishes", []).extend(_names(entry.outputs))
        if entry.empty:
            rows.setdefault("without input", []).append(f"{entry.empty.outcome}: {entry.empty.reason}")
        for proof, reason in entry.proofs.skip.items():
            rows.setdefault(f"no proof of {proof}", []).append(reason)
    return {name: "; ".join(dict.fromkeys(values)) for name, values in rows.items() if values}


def _names(outputs: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{service} `{name}`" for service, names in outputs.items() for name in names]


def tests_of(section: Section, root: Path) -> Iterator[str]:
    """Yield an item for each test file that names one of the DAGs, or imports the code that only they use."""
    wanted = {dag.dag_id for dag in section.dags}
    families = set(re.findall(r"\bjobs\.(\w+)", (root / section.path).read_text(encoding="utf-8")))
    own = families - {"common"}
    for path in sorted((root / "tests").rglob("test_*.py")):
        if path.is_relative_to(root / "tests/harness"):
            continue
        text = path.read_text(encoding="utf-8")
        if any(f'"{dag_id}"' in text for dag_id in wanted) or any(f"jobs.{name}" in text for name in own):
            yield from _item(path.relative_to(root), ast.parse(text))


def _item(path: Path, tree: ast.Module) -> Iterator[str]:
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    if names:
        yield f"- [{path.as_posix()}](../{path.as_posix()})"
        yield from (f"  - {name.removeprefix('test_').replace('_', ' ')}" for name in names)


def anchor(title: str) -> str:
    """Return the anchor that a heading gets where the page is shown."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
