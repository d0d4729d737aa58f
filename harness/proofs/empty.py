"""An interval without input does no harm."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim, Empties, Keeps, Step
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import in_order, two_dates


@proof("empty", "an interval without input does no harm")
def claims(lab: Lab) -> Iterator[Claim]:
    """Run a date on its input, and the next one without any: it ends as declared, and the old data stays."""
    if lab.spec.seed is None:
        raise Undecidable("the environment declares no seed for it, so its input cannot be left out")
    first, second = two_dates(lab)
    before = in_order([first])
    yield Claim(
        scenario=(*before, Step(dates=(second,))),
        must=(
            Keeps(reference=before),
            Empties(outcome=lab.spec.empty.outcome if lab.spec.empty else None),
        ),
        because="a date without input harms what is there, or ends otherwise than declared",
    )
