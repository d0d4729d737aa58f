"""Writes the files that a project lacks; what is there stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.scaffold.project import Existing

ENVIRONMENTS: Mapping[str, str] = {
    "environments/base.yaml": "base.yaml.j2",
    "environments/dev.yaml": "dev.yaml.j2",
    "environments/test.yaml": "test.yaml.j2",
    "environments/acc.yaml": "acc.yaml.j2",
    "environments/prod.yaml": "prod.yaml.j2",
    ".harness/.gitignore": "gitignore.j2",
}
"""Path in the project -> template: what a DAG can be loaded and run with."""

TESTS: Mapping[str, str] = {
    "tests/test_pipelines.py": "test_pipelines.py.j2",
    ".github/workflows/harness.yml": "harness.yml.j2",
}
"""The same for what runs the DAGs, which is written when it is known which of them load."""

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def write(
    existing: Existing, files: Mapping[str, str], dag_ids: Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """Write what is not there.

    Args:
        dag_ids: those that can run; by default all that were found.

    Returns:
        The files that were written, and those that were there and were left alone.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("harness.scaffold"),
        autoescape=False,  # noqa: S701 - YAML and Python, from names that match their own patterns
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["flow"] = flow
    shown = existing.dag_ids if dag_ids is None else dag_ids
    written, kept = [], []
    for name, template in files.items():
        path = existing.root / name
        if path.exists():
            kept.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(templates.get_template(template).render(project=existing, dag_ids=shown), encoding="utf-8")
        written.append(name)
    return written, kept


def flow(value: Any) -> str:
    """Return a value as YAML in one line, as a person writes it: quoted only where it must be."""
    match value:
        case str() if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        case Mapping():
            return _between("{", [f"{flow(key)}: {flow(inner)}" for key, inner in value.items()], "}")
        case list() | tuple():
            return _between("[", map(flow, value), "]")
    # JSON is YAML, and its strings have no escapes that YAML's double quotes do not know
    return json.dumps(value, default=str)


def _between(opening: str, parts: Iterable[str], closing: str) -> str:
    return f"{opening}{', '.join(parts)}{closing}"
