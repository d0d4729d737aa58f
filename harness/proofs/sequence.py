"""Any sequence of runs, re-runs, failures and repairs ends in the same state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.models.fault import TaskFault
from harness.models.proof import Claim, Equals, Scenario, Step
from harness.proofs.judge import Breaks, CutOff, NeverFired, Unfit, judge
from harness.proofs.lab import Expired, Lab
from harness.proofs.registry import Undecidable, proof
from harness.proofs.steps import prepared, tasks

#: how many sequences are drawn, and how long each is at most
EXAMPLES, LENGTH = 5, 4


@proof("sequence", "any sequence of the above ends in the same state")
def claims(lab: Lab) -> Iterator[Claim]:
    """Have Hypothesis draw sequences as a state machine does, shrink a failing one, and claim what is left of it.

    All inputs are in place from the start. The state must be that of a clean run of the dates that have run, in their
    order. What failed before is kept in `.harness/hypothesis`, and tried first the next time.
    """
    found = _search(lab)
    if found is not None:
        yield _smallest(lab, found)
    else:
        # what holds is claimed too, so that at least one sequence is known to have been decided
        yield _claim(lab, [Step(dates=(date,)) for date in lab.dates])


def _claim(lab: Lab, steps: list[Step]) -> Claim:
    ran = {date for step in steps for date in step.dates}
    first, *rest = steps
    scenario: Scenario = (first.model_copy(update={"inputs": lab.dates}), *rest)
    reference = prepared([date for date in lab.dates if date in ran], lab.dates)
    return Claim(
        scenario=scenario,
        must=(Equals(references=(reference,)),),
        because="this sequence leaves something else than a clean run of the same dates",
    )


class Refuted(AssertionError):
    """A drawn sequence violates its claim."""

    def __init__(self, claim: Claim) -> None:
        super().__init__("; ".join(step.in_words() for step in claim.scenario))
        self.claim = claim


class Stopped(BaseException):
    """Something else than a find: Hypothesis would take an `Exception` for one, and repeat what led to it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _search(lab: Lab) -> Claim | None:
    """Run the state machine; return the claim that the smallest failing sequence violates.

    Raises:
        HarnessError: a sequence could not be run: a service was lost.
        Undecidable, Unfit, Breaks, CutOff: nothing can be said of its sequences, or it is known without them.
    """
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.database import DirectoryBasedExampleDatabase
    from hypothesis.stateful import run_state_machine_as_test

    folder: Path = lab.session.environment.project / ".harness" / "hypothesis"
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=LENGTH,
        deadline=None,
        derandomize=False,
        database=DirectoryBasedExampleDatabase(folder),
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=_quiet(),
    )
    try:
        run_state_machine_as_test(_machine(lab), settings=chosen)
    except Refuted as refuted:
        return refuted.claim
    except Stopped as stopped:
        raise stopped.error from None
    return None


def _smallest(lab: Lab, found: Claim) -> Claim:
    """Leave out of a failing sequence, and replace, what it fails without: Hypothesis counts choices, not steps."""
    for simpler in _simpler(found.scenario):
        claim = _claim(lab, simpler)
        with suppress(Unfit, Breaks, CutOff):
            if _fails(lab, claim):
                return _smallest(lab, claim)
    return found


def _simpler(scenario: Scenario) -> Iterator[list[Step]]:
    """Return the sequences that leave one thing out, and those that have a plain run in place of a failure's repair."""
    for at, step in enumerate(scenario):
        if step.again:
            continue  # a repair goes with its failure
        before, after = list(scenario[:at]), list(scenario[at + 1 + bool(step.faults) :])
        if step.faults:
            yield [*before, Step(dates=step.dates), *after]
        if _possible(left := [*before, *after]):
            yield left


def _possible(steps: list[Step]) -> bool:
    """Tell whether only what has run is cleared, in a sequence that does something."""
    return bool(steps) and all(
        step.clear is None or any(step.dates == before.dates for before in steps[:at]) for at, step in enumerate(steps)
    )


def _fails(lab: Lab, claim: Claim) -> bool:
    try:
        return bool(judge(lab, claim))
    except (NeverFired, Expired):
        # a fault that cannot happen decides nothing; when the time is over, what was seen is all there is
        return False


def _quiet() -> Any:
    from hypothesis import Verbosity

    return Verbosity.quiet


def _machine(lab: Lab) -> Any:
    """Return a state machine whose rules are what operators do, and whose invariant is the claim so far."""
    from hypothesis import seed
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

    may_disorder = "order" not in lab.spec.proofs.skip and not lab.about.depends_on_past

    class Operators(RuleBasedStateMachine):
        """Steps of one sequence; a step that broke something is repaired before anything is compared."""

        def __init__(self) -> None:
            super().__init__()
            self.steps: list[Step] = []

        @property
        def ran(self) -> list[str]:
            return list(dict.fromkeys(date for step in self.steps for date in step.dates))

        @rule(data=st.data())
        def run(self, data: Any) -> None:
            left = [date for date in lab.dates if date not in self.ran]
            choices = left if may_disorder else left[:1]
            if choices:
                self.steps.append(Step(dates=(data.draw(st.sampled_from(choices)),)))

        @precondition(lambda self: self.steps)
        @rule(data=st.data())
        def run_again(self, data: Any) -> None:
            choices = self.ran if may_disorder else self.ran[-1:]
            self.steps.append(Step(dates=(data.draw(st.sampled_from(choices)),)))

        @precondition(lambda self: self.steps)
        @rule(data=st.data())
        def clear(self, data: Any) -> None:
            task = data.draw(st.sampled_from(tasks(lab)))
            self.steps.append(Step(dates=(self.ran[-1],), clear=task))

        @rule(data=st.data())
        def fail_and_repair(self, data: Any) -> None:
            task = data.draw(st.sampled_from(tasks(lab)))
            fault = TaskFault(task=task, attempt=None, moment="after")
            left = [date for date in lab.dates if date not in self.ran] or self.ran[-1:]
            self.steps.append(Step(dates=(left[0],), faults=(fault,)))
            self.steps.append(Step(dates=(left[0],), again=True))

        @invariant()
        def same_state(self) -> None:
            if not self.steps:
                return
            claim = _claim(lab, self.steps)
            try:
                fails = _fails(lab, claim)
            except (HarnessError, Undecidable, Unfit, Breaks, CutOff) as error:
                raise Stopped(error) from error
            if fails:
                raise Refuted(claim)

    return seed(lab.session.environment.spec.data.seed)(Operators)
