"""A date touches only what is its own."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim, Equals, Scenario, Step
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import in_order, two_dates


@proof("isolation", "a date touches only what is its own")
def claims(lab: Lab) -> Iterator[Claim]:
    """Change one date's input after all dates have run, and run it again: as if it had always been so."""
    if lab.about.depends_on_past:
        raise Undecidable("a task depends on its own past run: a changed date may change the later ones")
    if lab.spec.seed is None:
        raise Undecidable("the environment declares no seed for it, so the input of a date cannot be changed")
    two_dates(lab)
    dates = lab.dates
    for changed in dict.fromkeys((dates[len(dates) // 2], dates[0])):
        rerun = Step(dates=(changed,), inputs=(changed,), variation=1)
        clean: Scenario = tuple(rerun if date == changed else Step(dates=(date,), inputs=(date,)) for date in dates)
        yield Claim(
            scenario=(*in_order(dates), rerun),
            must=(Equals(references=(clean,)),),
            because="a date that is run again on changed input leaves something else than a clean run with that input",
        )
