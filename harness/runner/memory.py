"""What is remembered of the runs in a namespace: which outputs they changed.

A file in the session's folder, so that commands which share a namespace know of each other's runs; it goes with the
session. One line for each report: processes append at once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.environment.spec import DagSpec
from harness.models.run import RunReport
from harness.runner.outputs import Touched, touched_in

if TYPE_CHECKING:
    from harness.session.client import Namespace


class Memory:
    """Outputs that the runs in one namespace changed, by the key of the run.

    Args:
        folder: of the session.
        namespace: the one that is meant; when it is removed, and its name used anew, nothing is known of it.
    """

    def __init__(self, folder: Path, namespace: Namespace) -> None:
        self._path = _file(folder, namespace.name)
        self._slices = sorted({ref.slice.prefix for ref in namespace.refs.values()})

    def add(self, touched: Touched) -> None:
        """Remember what runs changed."""
        found = {key: sorted(names) for key, names in touched.items() if names}
        if found:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([self._slices, found]) + "\n")

    def all(self) -> dict[str, frozenset[str]]:
        """Return all that is known."""
        found: dict[str, frozenset[str]] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self._path.read_text(encoding="utf-8").splitlines():
                slices, touched = json.loads(line)
                if slices == self._slices:
                    found = joined(found, touched)
        return found


def forget(folder: Path, name: str) -> None:
    """Remove what is remembered of a namespace, with it."""
    _file(folder, name).unlink(missing_ok=True)


def _file(folder: Path, name: str) -> Path:
    return folder / f"touched-{name.replace('/', '_')}.jsonl"


def joined(one: Touched, other: Touched) -> dict[str, frozenset[str]]:
    """Return what either knows."""
    keys = one.keys() | other.keys()
    return {key: frozenset(one.get(key, ())).union(other.get(key, ())) for key in keys}


def touched_before(folder: Path, dags: Mapping[str, DagSpec]) -> dict[str, frozenset[str]]:
    """Return what an earlier run changed, from its report: a run that goes on from there need not do it again."""
    try:
        report = RunReport.model_validate_json((folder / "report.json").read_bytes())
    except (OSError, ValueError):
        return {}  # whoever resumes it is told what is wrong with it
    return touched_in(report.runs, dags)
