"""What the traps are: their manifest, their files, and how far a twin is from its trap."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
DAGS = HERE / "dags"
Kind = Literal["trap", "twin"]


@dataclass(frozen=True)
class Trap:
    """One defect.

    Args:
        name: of the trap; its files and DAGs are trap_NAME and twin_NAME.
        defect: the class of defects that it belongs to.
        dynamic: it shows only when the DAG is run.
        detector: `rule` of `harness check`, `property` of `harness prove`, or the verdict of `harness run`.
        found_by: the rule's id, the property, or the words of the verdict, that must find it.
    """

    name: str
    defect: str
    dynamic: bool
    detector: Literal["rule", "property", "run"]
    found_by: str

    def file(self, kind: Kind) -> Path:
        return DAGS / f"{kind}_{self.name}.py"

    def dag_id(self, kind: Kind) -> str:
        return f"{kind}_{self.name}"


def traps() -> list[Trap]:
    """Return all traps, in the manifest's order."""
    from ruamel.yaml import YAML

    manifest: dict[str, dict[str, Any]] = YAML(typ="safe").load(HERE / "manifest.yaml")
    found = []
    for name, said in manifest.items():
        ((detector, found_by),) = said["found_by"].items()
        found.append(Trap(name, said["class"], said["kind"] == "dynamic", detector, found_by))
    return found


def changed_lines(trap: Trap) -> int:
    """Count the lines that the twin removes or adds, that with its own DAG id among them."""
    before, after = (trap.file(kind).read_text().splitlines() for kind in ("trap", "twin"))
    return sum(line[:2] in ("+ ", "- ") for line in difflib.ndiff(before, after))
