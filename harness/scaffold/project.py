"""What an existing project holds: where its DAGs are, what they use, and what its own settings say of that."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.checks.config import Settings
from harness.checks.engine import Judge
from harness.checks.project import Project
from harness.checks.registry import Registry
from harness.checks.run import Request, examine
from harness.errors import NothingChecked
from harness.scaffold.coordinates import GIVEN, part_of
from harness.scaffold.reading import Named, read
from harness.scaffold.settings import Said, below, read_settings

_SERVICES: tuple[tuple[str, str], ...] = (
    (r"postgres|warehouse|(^|_)pg(_|$)|pgsql|_db$|^db_|dwh", "postgres"),
    (r"aws|s3|minio|lake|bucket", "s3"),
    (r"kafka|events?$|stream", "kafka"),
    (r"smtp|mail", "smtp"),
    (r"spark", "spark"),
)
"""What the name of a connection gives away; the author corrects a wrong guess in one line."""

_TYPES: Mapping[str, str] = {
    **{"aws": "s3", "s3": "s3", "postgres": "postgres", "pgvector": "postgres", "kafka": "kafka"},
    **{"smtp": "smtp", "email": "smtp", "spark": "spark"},
}
"""Type of an Airflow connection -> the role that serves it."""

_OTHERS = ((r"http|api|rest|web", "http"), (r"ssh|sftp", "sftp"), (r"slack", "slack"))

_DATABASE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_USUAL_DATABASE = "warehouse"


@dataclass(frozen=True)
class Existing:
    """One project.

    Args:
        dags: folder of the DAG files, from the root.
        dag_ids: DAGs whose ids the text shows.
        connections: name -> what stands in the environment, as YAML in one line.
        remarks: name of a connection -> what is still to be said about it.
        variables: name -> value as YAML; a reference where it names a bucket, topic or database.
        environ: names of the process environment -> a reference, or `todo`.
        services: role -> its block.
        absent: packages that the code imports and that are not installed.
    """

    root: Path
    dags: str
    dag_ids: tuple[str, ...]
    connections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    environ: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def look(root: Path) -> Existing:
    """Read a project by its text alone: nothing of it is imported, and Airflow is not needed.

    Modules are looked for in the DAG folder and, as `check` does, in the working folder: stand in `root`.

    Raises:
        NothingChecked: there is no DAG in it.
    """
    folder = dags_folder(root)
    request = Request((folder,), Settings(), None, load=False, cache=False)
    project = examine(request, Judge(Registry([]), Settings()))
    project.roots = tuple(dict.fromkeys((*project.roots, root.resolve())))
    if not project.count:
        raise NothingChecked(f"no DAG was found in {folder}", hint="name the root of an Airflow project")
    said = read_settings(root)
    named = read(root, project, below(root, ".sql"))
    uses = _uses(project)
    kinds = {
        name: said.connections.get(name, Said())
        for name in _every(uses["connection"], named.connections, said.connections)
    }
    roles = {name: _served(name, one.conn_type or named.connections.get(name, "")) for name, one in kinds.items()}
    bases = _databases(roles, kinds, named)
    variables = _variables(said.variables, named, uses["variable"])
    environ = _environ(project, named, said.environ)
    services = _services({*roles.values()}, [*variables.values(), *environ.values()], named, [*bases.values()])
    return Existing(
        root=root,
        dags=folder.relative_to(root).as_posix(),
        dag_ids=tuple(sorted(project.dag_ids)),
        connections={name: _connection(role, bases.get(name)) for name, role in roles.items()},
        remarks={name: _remark(kinds[name]) for name, role in roles.items() if ":" in role},
        variables=variables,
        pools={name: said.pools.get(name, 1) for name in _every(uses["pool"], said.pools)},
        environ=environ,
        services=services,
        absent=_absent(root, project, named.modules),
    )


def _uses(project: Project) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {kind: set() for kind in ("connection", "variable", "pool")}
    for use in project.usages:
        if not use.optional and use.kind in found:
            found[use.kind].add(use.name)
    return found


def _environ(project: Project, named: Named, said: Mapping[str, str]) -> dict[str, Any]:
    """Return what the process environment must hold: parts of services, and what the code insists on."""
    found: dict[str, Any] = {}
    uses = [use for use in project.usages if use.kind == "environ" and not use.name.startswith("AIRFLOW_")]
    for name in _every([use.name for use in uses], named.environ):
        role, part = part_of(name) or ("", "")
        kind = named.environ.get(name) or (part if part in ("bucket", "topic", "database") else "")
        required = any(use.name == name and not use.optional for use in uses)
        if name in GIVEN:
            continue
        if kind and (required or name in said):
            found[name] = _reference(kind, said.get(name, name))
        elif part and not kind:
            found[name] = {"service": role, "part": "address" if name in named.addresses else part}
        elif required and name not in os.environ:
            found[name] = "todo"
    return found


def _absent(root: Path, project: Project, modules: Iterable[str]) -> tuple[str, ...]:
    """Return the packages that cannot be imported: neither installed nor the project's own."""
    found = set()
    for name in {module.lstrip(".").partition(".")[0] for module in modules} - set(sys.stdlib_module_names):
        own = any((folder / name).is_dir() or (folder / f"{name}.py").is_file() for folder in (*project.roots, root))
        if name.isidentifier() and not own and find_spec(name) is None:
            found.add(name)
    return tuple(sorted(found))


def _every(*groups: Iterable[str]) -> list[str]:
    return sorted({name for group in groups for name in group})


def dags_folder(root: Path) -> Path:
    """Return the folder of the DAG files: `dags`, or the one that all files with a DAG are below."""
    for name in ("dags", "airflow/dags", "src/dags"):
        if (root / name).is_dir():
            return root / name
    files = [path for path in below(root, ".py") if path.relative_to(root).parts[0] != "tests" and _has_dag(path)]
    folders = {path.parent for path in files}
    return Path(os.path.commonpath(folders)) if folders else root


def _has_dag(path: Path) -> bool:
    text = path.read_text(errors="replace")
    return "airflow" in text and re.search(r"\bDAG\(|@dag\b", text) is not None


def _served(name: str, conn_type: str) -> str:
    """Return the role of a service, or the type of a connection to something else as `conn:http`."""
    if conn_type:
        return _TYPES.get(conn_type, f"conn:{conn_type}")
    low = name.lower()
    role = next((role for pattern, role in _SERVICES if re.search(pattern, low)), None)
    return role or "conn:" + next((kind for pattern, kind in _OTHERS if re.search(pattern, low)), "generic")


def _connection(role: str, database: str | None) -> dict[str, str]:
    if ":" in role:
        return {"conn_type": role.partition(":")[2]}
    return {"service": role, **({"database": database} if database else {})}


def _remark(said: Said) -> str:
    where = f"; the project's settings say {said.host}" if said.host else ""
    return f"TODO: what it is connected to{where}"


def _databases(roles: Mapping[str, str], kinds: Mapping[str, Said], named: Named) -> dict[str, str]:
    """Return the database of each connection to Postgres: what the settings say, or the code, or the usual name."""
    literal = sorted(name for name in named.databases if _DATABASE.fullmatch(name))
    usual = literal[0] if len(literal) == 1 else _USUAL_DATABASE
    found = {}
    for name, role in roles.items():
        if role == "postgres":
            said = kinds[name].schema
            found[name] = said if _DATABASE.fullmatch(said) else named.bases.get(name, [usual])[0]
    return found


def _variables(said: Mapping[str, Any], named: Named, used: Iterable[str]) -> dict[str, Any]:
    """Return each variable's value; one that the code does without, and gives no value, is left out."""
    found: dict[str, Any] = {}
    for name in _every(used, said, named.defaults, named.references):
        value = said.get(name, named.defaults.get(name))
        kind = named.references.get(name)
        if kind:
            found[name] = _reference(kind, value if isinstance(value, str) else name)
        elif value is not None or name not in named.defaults:
            found[name] = "todo" if value is None else value
    return found


def _reference(kind: str, name: str) -> Any:
    """Return a reference to what a variable names, under the nearest name that is possible; else the name itself."""
    shape, near = {
        "bucket": (_BUCKET, re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-")),
        "topic": (_TOPIC, name),
        "database": (_DATABASE, re.sub(r"\W+", "_", name.lower())),
    }[kind]
    role = {"bucket": "s3", "topic": "kafka", "database": "postgres"}[kind]
    return {"service": role, kind: near} if shape.fullmatch(near) else name


def _services(
    roles: set[str], values: Iterable[Any], named: Named, bases: Iterable[str]
) -> dict[str, Mapping[str, Any]]:
    """Return the services that are needed, with every name that settings, variables and code give."""
    refs = [value for value in values if isinstance(value, dict) and "service" in value]
    roles = roles | {ref["service"] for ref in refs}
    buckets = _every(filter(_BUCKET.fullmatch, named.buckets), (ref["bucket"] for ref in refs if "bucket" in ref))
    topics = _every(filter(_TOPIC.fullmatch, named.topics), (ref["topic"] for ref in refs if "topic" in ref))
    databases = _every(
        filter(_DATABASE.fullmatch, named.databases), bases, (ref["database"] for ref in refs if "database" in ref)
    )
    spark = "spark" in roles or any(name.startswith("pyspark") for name in named.modules)
    blocks: dict[str, Mapping[str, Any]] = {
        "postgres": {"databases": databases or [_USUAL_DATABASE]} if "postgres" in roles or databases else {},
        "s3": {"buckets": buckets or ["data"]} if "s3" in roles or buckets else {},
        "kafka": {"topics": {topic: {} for topic in topics or ["events"]}} if "kafka" in roles or topics else {},
        "spark": {"packages": named.spark_packages} if spark else {},
    }
    found = {role: block for role, block in blocks.items() if block}
    return {**found, **({"smtp": {}} if "smtp" in roles else {})}
