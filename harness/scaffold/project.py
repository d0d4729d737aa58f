"""What an existing project holds: where its DAGs are, what they use, and what its own settings say of that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.checks.config import Settings
from harness.checks.engine import Judge
from harness.checks.registry import Registry
from harness.checks.run import Request, examine
from harness.errors import NothingChecked

_SERVICES: tuple[tuple[str, str], ...] = (
    (r"postgres|warehouse|pg\b|pgsql|_db$|^db_", "postgres"),
    (r"aws|s3|minio|lake|bucket", "s3"),
    (r"kafka|events?$|stream", "kafka"),
    (r"smtp|mail", "smtp"),
)
"""What the name of a connection gives away; the author corrects a wrong guess in one line."""

_TYPES: Mapping[str, str] = {"aws": "s3", "postgres": "postgres", "kafka": "kafka", "smtp": "smtp"}
"""Type of an Airflow connection -> the role that serves it."""

_OTHERS = ((r"http|api|rest|web", "http"), (r"spark", "spark"), (r"ssh|sftp", "sftp"), (r"slack", "slack"))


@dataclass(frozen=True)
class Existing:
    """One project.

    Args:
        dags: folder of the DAG files, from the root.
        connections: name -> role of a service, or the type of a connection to something else as `conn:http`.
        variables: name -> value that the project's own settings give; None when they give none.
    """

    root: Path
    dags: str
    dag_ids: tuple[str, ...]
    connections: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    buckets: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


def look(root: Path) -> Existing:
    """Read a project by its text alone: nothing of it is imported, and Airflow is not needed.

    Raises:
        NothingChecked: there is no DAG in it.
    """
    folder = dags_folder(root)
    request = Request((folder,), Settings(), None, load=False, cache=False)
    facts = examine(request, Judge(Registry([]), Settings()))
    if not facts.count:
        raise NothingChecked(f"no DAG was found in {folder}", hint="name the root of an Airflow project")
    names: dict[str, set[str]] = {}
    for use in facts.usages:
        names.setdefault(use.kind, set()).add(use.name)
    settings = astro_settings(root)
    said = {one["conn_id"]: str(one.get("conn_type") or "") for one in settings.get("connections", ())}
    variables = {one["variable_name"]: one.get("variable_value") for one in settings.get("variables", ())}
    pools = {one["pool_name"]: int(one.get("pool_slot") or 1) for one in settings.get("pools", ())}
    return Existing(
        root=root,
        dags=folder.relative_to(root).as_posix(),
        dag_ids=tuple(sorted(facts.dag_ids)),
        connections={name: _served(name, said.get(name, "")) for name in _every(names.get("connection"), said)},
        variables={name: variables.get(name) for name in _every(names.get("variable"), variables)},
        pools={name: pools.get(name, 1) for name in _every(names.get("pool"), pools)},
        buckets=tuple(name for name in _every(names.get("bucket")) if re.fullmatch(r"[a-z0-9][a-z0-9.-]{2,62}", name)),
        topics=tuple(_every(names.get("topic"))),
    )


def _every(*groups: Iterable[str] | None) -> list[str]:
    return sorted({name for group in groups if group for name in group})


def dags_folder(root: Path) -> Path:
    """Return the folder of the DAG files: `dags`, or the nearest folder that holds one."""
    for name in ("dags", "airflow/dags", "src/dags"):
        if (root / name).is_dir():
            return root / name
    hidden = (".venv", ".git", ".tox", "node_modules")
    for path in sorted(root.rglob("*.py"), key=lambda path: (len(path.parts), path)):
        inner = path.relative_to(root).parts
        if inner[0] in hidden or inner[0] == "tests":
            continue
        text = path.read_text(errors="replace")
        if "airflow" in text and re.search(r"\bDAG\(|@dag\b", text):
            return path.parent
    return root


def astro_settings(root: Path) -> Mapping[str, Any]:
    """Return what `airflow_settings.yaml` of the Astro CLI says; empty entries are left out."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = root / "airflow_settings.yaml"
    if not path.is_file():
        return {}
    try:
        said = (YAML(typ="safe").load(path) or {}).get("airflow") or {}
    except (YAMLError, AttributeError):
        return {}
    keys = {"connections": "conn_id", "variables": "variable_name", "pools": "pool_name"}
    return {
        kind: [one for one in said.get(kind) or () if isinstance(one, dict) and one.get(key)]
        for kind, key in keys.items()
    }


def _served(name: str, conn_type: str) -> str:
    if conn_type:
        return _TYPES.get(conn_type, f"conn:{conn_type}")
    low = name.lower()
    role = next((role for pattern, role in _SERVICES if re.search(pattern, low)), None)
    return role or "conn:" + next((kind for pattern, kind in _OTHERS if re.search(pattern, low)), "generic")
