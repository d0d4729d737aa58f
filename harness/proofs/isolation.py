"""A date touches only what is its own."""

from __future__ import annotations

from collections.abc import Iterator

from harness.models.proof import CHANGED, Change, Claim, Equals, Scenario, Step
from harness.proofs.lab import Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import in_order, two_dates


@proof("isolation", "a date touches only what is its own")
def claims(lab: Lab) -> Iterator[Claim]:
    """Change one date's input after all dates have run, and run it again: as if it had always been so.

    The input changes in three ways, as far as the seed can: other values, a row more, a row less. That an upsert never
    removes a withdrawn row is another defect than that a date overwrites its neighbour.
    """
    if lab.about.depends_on_past:
        raise Undecidable("a task depends on its own past run: a changed date may change the later ones")
    if lab.spec.seed is None:
        raise Undecidable("the environment declares no seed for it, so the input of a date cannot be changed")
    two_dates(lab)
    dates = lab.dates
    middle = dates[len(dates) // 2]
    plan: dict[Change, tuple[str, ...]] = {
        "value": tuple(dict.fromkeys((middle, dates[0]))),
        "more": (middle,),
        "less": (middle,),
    }
    unchanged = lab.input_of(middle, "none")
    ways: list[Change] = [way for way in plan if lab.input_of(middle, way) != unchanged]
    if not ways:
        raise Undecidable("the variation changed no input: the seed makes the same, whatever `data` asks for")
    for way in plan.keys() - set(ways):
        lab.remarks.append(f"not tried: {CHANGED[way]}, which the seed does not make")
    for way in ways:
        for changed in plan[way]:
            rerun = Step(dates=(changed,), inputs=(changed,), change=way)
            clean: Scenario = tuple(rerun if date == changed else Step(dates=(date,), inputs=(date,)) for date in dates)
            yield Claim(
                scenario=(*in_order(dates), rerun),
                must=(Equals(references=(clean,)),),
                because=f"a date that is run again on {CHANGED[way]} leaves something else than a clean run with that",
            )
