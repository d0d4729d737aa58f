"""No output depends on the wall clock."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.fault import Clock
from harness.models.proof import Claim, Equals
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import disturbed, in_order

#: seconds; each is another day and another hour, and the second another year: what is made of any of them, differs
SHIFTS = (3 * 86_400.0 + 5 * 3_600.0, 400 * 86_400.0 + 11 * 3_600.0)

#: roles with a clock of their own that outputs may be made with, and that a task's process does not share
OWN_CLOCK = ("postgres", "spark")


@proof("clock", "no output depends on the wall clock")
def claims(lab: Lab) -> Iterator[Claim]:
    """Run a date while the tasks' clock is off; it must leave what it leaves at any other time."""
    date = lab.dates[0]
    once = in_order([date])
    for shift in SHIFTS:
        yield Claim(
            scenario=(disturbed(date, Clock(shift_seconds=shift), inputs=(date,)),),
            must=(Equals(references=(once,)),),
            because="the same date leaves something else at another time",
        )
    with_clocks = [name for name, service in lab.session.environment.spec.services.items() if service.role in OWN_CLOCK]
    if with_clocks:
        raise Undecidable(
            f"no output depends on the clock of the tasks; {' and '.join(with_clocks)} kept the real time, "
            "since their clocks cannot be shifted here"
        )
