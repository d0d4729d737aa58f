"""Every wait ends."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim, Ends, Step
from harness.proofs.lab import Lab
from harness.proofs.registry import proof


@proof("deadline", "every wait ends")
def claims(lab: Lab) -> Iterator[Claim]:
    """Let the awaited thing never come: run a date whose input is not there.

    Waits are shortened by a factor, so that the patience of the experiment stands for ten hours of a sensor's timeout
    (`lab.PATIENCE`, `lab.COMPRESSION`). An execution timeout is not shortened. How long a run takes when everything is
    there is known by then: the plain run comes before.
    """
    date = lab.dates[0]
    yield Claim(
        scenario=(Step(dates=(date,)),),
        must=(Ends(),),
        because="the run waits for an input that never comes",
    )
