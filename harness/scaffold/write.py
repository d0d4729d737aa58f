"""Writes the files that a project lacks; what is there stays as it is."""

from __future__ import annotations

from collections.abc import Mapping

from harness.scaffold.project import Existing

FILES: Mapping[str, str] = {
    "environments/base.yaml": "base.yaml.j2",
    "environments/dev.yaml": "dev.yaml.j2",
    "environments/test.yaml": "test.yaml.j2",
    "environments/acc.yaml": "acc.yaml.j2",
    "environments/prod.yaml": "prod.yaml.j2",
    "tests/test_pipelines.py": "test_pipelines.py.j2",
    ".github/workflows/harness.yml": "harness.yml.j2",
}
"""Path in the project -> template."""


def write(existing: Existing) -> tuple[list[str], list[str]]:
    """Write what is not there.

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
    written, kept = [], []
    for name, template in FILES.items():
        path = existing.root / name
        if path.exists():
            kept.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        roles = sorted({role for role in existing.connections.values() if ":" not in role} | _stores(existing))
        path.write_text(templates.get_template(template).render(project=existing, roles=roles), encoding="utf-8")
        written.append(name)
    return written, kept


def _stores(existing: Existing) -> set[str]:
    return ({"s3"} if existing.buckets else set()) | ({"kafka"} if existing.topics else set())
