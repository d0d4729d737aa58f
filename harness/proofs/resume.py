"""Any task can be cleared, with what is after it, and the result is the same."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import Claim, Equals, Step
from harness.proofs.lab import Lab
from harness.proofs.registry import proof
from harness.proofs.steps import in_order, tasks


@proof("resume", "clear any task and its downstream: same result")
def claims(lab: Lab) -> Iterator[Claim]:
    """Clear each task in turn, the last one first: what little is run again there is the smallest scenario."""
    date = lab.dates[0]
    once = in_order([date])
    done = once
    for task in reversed(tasks(lab)):
        # in one namespace as long as nothing changes: every re-run ends where it began
        done = (*done, Step(dates=(date,), clear=task))
        yield Claim(
            scenario=done,
            must=(Equals(references=(once,)),),
            because=f"clearing {task} and what is after it leaves something else",
        )
