"""Running a date again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim, Equals
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import again, in_order


@proof("rerun", "running a date again changes nothing")
def claims(lab: Lab) -> Iterator[Claim]:
    """Run the first date twice; then, when later dates have run, the first date again."""
    first, *later = lab.dates
    once = in_order([first])
    yield Claim(
        scenario=(*once, again(first)),
        must=(Equals(references=(once,)),),
        because="a second run of the same date leaves something else than the first",
    )
    if later and not lab.about.depends_on_past and "order" not in lab.spec.proofs.skip:
        all_dates = in_order(lab.dates[:2])
        yield Claim(
            scenario=(*all_dates, again(first)),
            must=(Equals(references=(all_dates,)),),
            because="a re-run of an earlier date changes what a later one has left",
        )
