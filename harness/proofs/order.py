"""The order of the dates does not matter."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim, Equals
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import prepared, two_dates


@proof("order", "the order of the dates does not matter")
def claims(lab: Lab) -> Iterator[Claim]:
    """Run the dates backwards: first two, the smallest disorder there is, then all of them, rotated."""
    if lab.about.depends_on_past:
        raise Undecidable("a task depends on its own past run, so Airflow does not run the dates in another order")
    first, second = two_dates(lab)
    yield _claim((second, first), (first, second))
    if len(lab.dates) > 2:
        dates = lab.dates
        yield _claim((dates[-1], *dates[:-1]), dates)


def _claim(shuffled: tuple[str, ...], dates: tuple[str, ...]) -> Claim:
    return Claim(
        scenario=prepared(shuffled, dates),
        must=(Equals(references=(prepared(dates, dates),)),),
        because="the same dates in another order leave something else",
    )
