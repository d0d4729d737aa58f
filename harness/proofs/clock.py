"""No output depends on the wall clock."""

from __future__ import annotations

from collections.abc import Iterator

from harness.engines.shifted import libfaketime
from harness.models.fault import Clock
from harness.models.proof import Claim, Equals
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import disturbed, in_order

#: seconds: another hour, another day, another month and another year, so that what is made of any of them differs
SHIFT = 400 * 86_400 + 11 * 3_600


@proof("clock", "no output depends on the wall clock")
def claims(lab: Lab) -> Iterator[Claim]:
    """Run a date while all clocks are off, on services of its own; it must leave what it leaves at any other time."""
    services = lab.session.environment.spec.services
    if services and libfaketime() is None:
        raise Undecidable("the clocks of the services cannot be shifted here: libfaketime is not installed")
    contained = [name for name, service in services.items() if service.engine == "container"]
    if contained:
        raise Undecidable(f"the clock of a container cannot be shifted: {', '.join(contained)}")
    date = lab.dates[0]
    yield Claim(
        scenario=(disturbed(date, Clock(shift_seconds=SHIFT), inputs=(date,)),),
        must=(Equals(references=(in_order([date]),)),),
        because="the same date leaves something else at another time",
    )
