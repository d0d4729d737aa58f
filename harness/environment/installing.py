"""How a module that is missing is installed, for hints."""

from __future__ import annotations

import re
from importlib import metadata

_MISSING = re.compile(r"No module named ['\"]([\w.]+)['\"]")

_EXTRAS = {
    **{"confluent_kafka": "kafka", "airflow.providers.apache.kafka": "kafka"},
    **{"pyspark": "spark", "delta": "spark", "airflow.providers.apache.spark": "spark"},
    **{"testcontainers": "containers", "docker": "containers"},
}
"""Module -> the extra of this distribution that brings it."""

_FAMILIES = ("apache", "atlassian", "cncf", "common", "dbt", "microsoft")
"""Parts of `airflow.providers` that hold several providers each."""


def how_to_install(words: str) -> str | None:
    """Return the command that installs the module that an error misses; None where it misses none, or nobody knows.

    Args:
        words: the error's own, such as `No module named 'confluent_kafka'`.
    """
    found = _MISSING.search(words)
    if found is None:
        return None
    parts = found[1].split(".")
    for module, extra in _EXTRAS.items():
        if parts[: module.count(".") + 1] == module.split("."):
            return f"pip install 'dtap-harness[{extra}]'"
    if parts[:2] != ["airflow", "providers"]:
        return None if parts[0] == "airflow" else f"install what brings {parts[0]!r}, as the project's requirements do"
    name = parts[2:4] if parts[2:3] and parts[2] in _FAMILIES else parts[2:3]
    distribution = "-".join(["apache-airflow-providers", *name]).replace("_", "-")
    if not name or name[-1] in _FAMILIES or _installed(distribution):
        return None
    return f"pip install {distribution}"


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
