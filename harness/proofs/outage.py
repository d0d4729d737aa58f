"""A service outage is survived."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.fault import Outage
from harness.models.proof import Claim, Equals
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import disturbed, in_order, repaired, tasks


@proof("outage", "a service outage is survived", deadline=1800.0)
def claims(lab: Lab) -> Iterator[Claim]:
    """Cut each service while each task runs that uses it; then restore it and run again what failed.

    Whether a task uses a service shows when it is cut: an outage that nobody meets decides nothing.
    """
    services = [name for name, service in lab.session.environment.spec.services.items() if service.role in CUT]
    if not services:
        raise Undecidable("the environment has no service that can be cut")
    date = lab.dates[0]
    once = in_order([date])
    for task in tasks(lab):
        for service in services:
            cut = Outage(service=service, during=task, attempt=None)
            yield Claim(
                scenario=(disturbed(date, cut, inputs=(date,)), repaired(date)),
                must=(Equals(references=(once,)),),
                because="after an outage, running again what failed does not lead to what a clean run leaves",
            )


#: roles whose clients live in the tasks' processes; Spark is their driver, which is not a network away
CUT = ("postgres", "s3", "kafka", "http", "smtp")
