"""The page docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tests.bench.rows import Line


def render(lines: Iterable[Line], where: str, when: datetime, rounds: int) -> str:
    """Write the page.

    Args:
        lines: what was measured, and what could not be.
        where: the machine, in one line.
        when: it was measured.
        rounds: how often each side was measured at least.
    """
    lines = list(lines)
    comments = [f"- {line.what}: {line.comment}" for line in lines if line.comment]
    return "\n".join(
        [
            "# Performance",
            "",
            f"Measured on {when:%Y-%m-%d} by `make bench`: {where}.",
            "",
            f"Both sides of a row were measured in turns within one run; a figure is the median of at least {rounds}.",
            "A ratio travels from machine to machine better than seconds do.",
            "",
            "| what | ours | against | theirs | value | bar | |",
            "|---|---|---|---|---|---|---|",
            *(f"| {' | '.join(line.cells)} |" for line in lines),
            "",
            *(["Why bars are missed:", "", *comments, ""] if comments else []),
        ]
    )
