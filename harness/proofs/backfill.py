"""A backfill equals incremental runs."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import at_once, two_dates


@proof("backfill", "a backfill equals incremental runs")
def claims(lab: Lab) -> Iterator[Claim]:
    """Submit all dates together, under the DAG's max_active_runs, against one by one."""
    two_dates(lab)
    yield at_once(lab.dates, "dates that are submitted together leave something else than one by one")
