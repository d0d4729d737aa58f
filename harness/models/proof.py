"""What a proof asserts and what it found: scenarios, claims and results, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.models.base import Frozen
from harness.models.fault import Fault

Outcome = Literal["holds", "refuted", "skipped", "undecided"]


Change = Literal["none", "value", "more", "less"]

CHANGED: Mapping[Change, str] = {
    "value": "changed input",
    "more": "input with a row more",
    "less": "input with a row less",
}
"""How an input differs, in words."""


class Step(Frozen):
    """One thing that happens in a scenario: runs of one or more dates, or a re-run of a part of one.

    Args:
        dates: calendar dates or timestamps; one run after the other, or all submitted together.
        inputs: dates whose inputs are put in place before.
        change: how the input differs from the environment's own: `value` (others, by another `data.seed`), `more` or
            `less` (one row), as far as the seed heeds it; `none` for the same.
        together: submit all dates at once, under max_active_runs.
        again: run the failed tasks of the last run of the date again, and all after them, instead of a new run.
        clear: run this task of the last run of the date again, and all after it.
        faults: what goes wrong meanwhile.
    """

    dates: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    change: Change = "none"
    together: bool = False
    again: bool = False
    clear: str | None = None
    faults: tuple[Fault, ...] = ()

    def in_words(self) -> str:
        """Return `run 2026-01-02 on changed input, while load is killed`."""
        when = ", ".join(date.removesuffix("T00:00:00+00:00") for date in self.dates)
        if self.clear:
            what = f"clear {self.clear} of {when} and what is after it"
        elif self.again:
            what = f"run what failed on {when} again"
        else:
            what = f"run {when}{' together' if self.together else ''}"
        changed = f" on {CHANGED[self.change]}" if self.change != "none" and self.inputs else ""
        meanwhile = "".join(f", while {fault}" for fault in self.faults if fault.type != "record")
        return f"{what}{changed}{meanwhile}"


Scenario = tuple[Step, ...]
"""Steps, one after the other, in a fresh namespace."""


class Equals(Frozen):
    """The outputs are those that one of the references leaves: each output as a whole, old or new."""

    kind: Literal["equals"] = "equals"
    references: tuple[Scenario, ...]


class Together(Frozen):
    """What a task writes into one database is there as a whole, over all tables, or not at all.

    Args:
        untouched: the same with the task failing before its work.
        done: the same with the task failing after its work.
    """

    kind: Literal["together"] = "together"
    untouched: Scenario
    done: Scenario


class Withheld(Frozen):
    """What cannot be taken back, a call or a mail, was not done while the date was not published.

    Args:
        untouched: the state before.
        done: the state after, all of it.
        services: whose datasets cannot be taken back.
        refused_by: the task that fails, after the one that called.
    """

    kind: Literal["withheld"] = "withheld"
    untouched: Scenario
    done: Scenario
    services: tuple[str, ...]
    refused_by: str


class Keeps(Frozen):
    """What the reference leaves is still there, row by row and object by object."""

    kind: Literal["keeps"] = "keeps"
    reference: Scenario


class Fails(Frozen):
    """Airflow calls the last run failed."""

    kind: Literal["fails"] = "fails"
    task: str


class Ends(Frozen):
    """The last run comes to an end by itself."""

    kind: Literal["ends"] = "ends"


class Empties(Frozen):
    """The last run, which has no input, ends as the environment declares."""

    kind: Literal["empties"] = "empties"
    outcome: Literal["skip", "empty", "fail"] | None = None


class Hides(Frozen):
    """No secret is found in logs, XComs, rendered fields or stores."""

    kind: Literal["hides"] = "hides"


Must = Annotated[Equals | Together | Withheld | Keeps | Fails | Ends | Empties | Hides, Field(discriminator="kind")]


class Claim(Frozen):
    """What must hold at the end of a scenario; a violated claim refutes its property.

    Args:
        scenario: what is done.
        must: what must hold then.
        because: what it would mean if it did not, for the reason of a refutation.
        shorter: steps that should refute it as well, and cost more to begin with; tried once it is refuted.
    """

    scenario: Scenario
    must: tuple[Must, ...]
    because: str
    shorter: Scenario = ()


class ProofResult(Frozen):
    """What one proof found.

    Args:
        scenario: the smallest scenario that shows the refutation, a sentence for each step.
        differences: what differs, a sentence each.
        claim: the violated claim as data, for a test that repeats it.
        reproduce: a command that decides this property alone.
        test: a pytest test that fails as long as the claim is violated.
        checked: how many claims were decided.
        judged: the outputs that the plain runs changed which scenarios were compared with, as `service: name`.
    """

    property: str
    outcome: Outcome
    reason: str
    scenario: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    claim: Claim | None = None
    reproduce: str = ""
    test: str = ""
    checked: int = 0
    judged: tuple[str, ...] = ()
    runs: int = 0
    seconds: float = 0.0


class DagProofs(Frozen):
    """All proofs of one DAG.

    Args:
        dates: the logical dates that they used, each with what is special about it.
    """

    dag_id: str
    proofs: tuple[ProofResult, ...]
    dates: dict[str, str] = Field(default_factory=dict)

    def proof(self, name: str) -> ProofResult:
        """Return one property's result; raises KeyError with the properties there are."""
        for result in self.proofs:
            if result.property == name:
                return result
        raise KeyError(f"{name!r} was not decided; decided: {', '.join(one.property for one in self.proofs)}")


class ProveReport(Frozen):
    """What `harness prove` found. Its JSON is the contract `harness.prove/1`: additive within the version."""

    schema_: Literal["harness.prove/1"] = Field(default="harness.prove/1", alias="schema")
    verdict: Literal["pass", "fail", "error", "empty"]
    reasons: tuple[str, ...] = ()
    environment: str = ""
    dags: tuple[DagProofs, ...] = ()
    seconds: float = 0.0
    timings: dict[str, Any] = Field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"


class ProofEvent(Frozen):
    """One step of a proof, for live displays.

    Args:
        property: what is being decided.
        detail: the step of the scenario, in words; with a result, its reason.
        result: given when the property is decided.
        runs: how many steps were carried out so far for this DAG.
    """

    dag_id: str
    property: str
    detail: str = ""
    result: ProofResult | None = None
    runs: int = 0
