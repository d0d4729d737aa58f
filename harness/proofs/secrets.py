"""No secret leaves the process."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim, Hides
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import disturbed, failing, in_order, tasks


@proof("secrets", "no secret leaves the process")
def claims(lab: Lab) -> Iterator[Claim]:
    """Search logs, XComs, rendered fields and stores after a run, and after a run whose tasks fail.

    Secrets are the credentials of the services, random in each session, and a planted value in each variable whose
    name says that it holds one.
    """
    date = lab.dates[0]
    yield Claim(
        scenario=in_order([date]),
        must=(Hides(),),
        because="a secret stands where others read it",
    )
    if names := tasks(lab):
        yield Claim(
            scenario=(disturbed(date, failing(names[0]), inputs=(date,)),),
            must=(Hides(),),
            because="a secret stands in what a failure leaves",
        )
