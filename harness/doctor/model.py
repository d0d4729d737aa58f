"""One finding about the machine, and the words that the checks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "missing"]

GIB = 1024**3


@dataclass(frozen=True)
class Finding:
    """What one check saw.

    Args:
        name: of what was looked at.
        status: `missing` stops the embedded services from working; `warn` limits or slows something, and is optional.
        seen: the fact, with its version or amount.
        needed_for: what does not work without it.
        how: the command or the setting that gets it; empty when nothing is to be done.
    """

    name: str
    status: Status
    seen: str
    needed_for: str
    how: str = ""


def gibibytes(amount: int) -> str:
    """Write a number of bytes as people do."""
    return f"{amount / GIB:.1f} GiB"
