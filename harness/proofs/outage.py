"""A service outage is survived."""

from __future__ import annotations

from collections.abc import Iterator

from harness.faults.control import CUT
from harness.models.fault import Outage, RecordWrites, unmapped
from harness.models.proof import Claim, Equals
from harness.proofs.judge import must_pass
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import disturbed, in_order, repaired, tasks


@proof("outage", "a service outage is survived", deadline=3600.0)
def claims(lab: Lab) -> Iterator[Claim]:
    """Cut each service while each task runs that uses it; then restore it and run again what failed.

    Which task uses which service is recorded: an outage that nobody meets decides nothing.
    """
    if not any(service.role in CUT for service in lab.session.environment.spec.services.values()):
        raise Undecidable("the environment has no service that can be cut")
    date = lab.dates[0]
    used = _used(lab, date)
    if not used:
        raise Undecidable("no task of it uses a service that can be cut")
    once = in_order([date])
    for task in tasks(lab):
        for service in sorted(used.get(task, ())):
            cut = Outage(service=service, during=task, attempt=None)
            yield Claim(
                scenario=(disturbed(date, cut, inputs=(date,)), repaired(date)),
                must=(Equals(references=(once,)),),
                because="after an outage, running again what failed does not lead to what a clean run leaves",
            )


def _used(lab: Lab, date: str) -> dict[str, set[str]]:
    """Return the services that each task speaks with on a date; mapped tasks are one."""
    recorded = (disturbed(date, RecordWrites(), inputs=(date,)),)
    must_pass(lab, recorded)
    found: dict[str, set[str]] = {}
    for task, services in lab.carry_out(recorded).report.runs[-1].used.items():
        found.setdefault(unmapped(task), set()).update(services)
    return {task: services for task, services in found.items() if services}
