from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.environment.spec import GateSpec
from harness.gate.policy import Circumstances, approved, judge, seconds_of
from harness.models.gate import (
    Approval,
    Claim,
    Collected,
    ContractShape,
    DagEvidence,
    EngineUsed,
    Evidence,
    Proved,
    Signature,
    Subject,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGESTS = {"dags/a.py": "1" * 64, "jobs/a.py": "2" * 64, "environment acc": "3" * 64}
DAG = DagEvidence(dag_id="a", path="dags/a.py", verdict="pass", runs=1, tasks=3, proofs=(), contracts=("revenue",))
ALL = ("integrity", "unit", "runs", "contracts", "drift")


def policy(**said: Any) -> GateSpec:
    return GateSpec.model_validate({"requires": list(ALL), **said})


def evidence(**said: Any) -> Evidence:
    passed = tuple(Collected(requirement=name, outcome="pass", checked=3) for name in (*ALL, "proofs"))
    base: dict[str, Any] = {"environment": "acc", "stage": "acc", "commit": "c" * 40, "collected": passed}
    times = {"started": NOW - timedelta(hours=2), "finished": NOW - timedelta(hours=1)}
    return Evidence.model_validate({**base, **times, "dags": (DAG,), **said})


def claim(signature: str = "unsigned", digests: dict[str, str] | None = None, **said: Any) -> Claim:
    subjects = tuple(
        Subject(name=n, kind="input", sha256=d) for n, d in (DIGESTS if digests is None else digests).items()
    )
    return Claim(
        file="acc.json",
        evidence=evidence(**said),
        subjects=subjects,
        signature=Signature.model_validate({"state": signature}),
    )


def now(**said: Any) -> Circumstances:
    base: dict[str, Any] = {"environment": "acc", "at": NOW, "commit": "c" * 40, "subjects": DIGESTS}
    return Circumstances(**{**base, "dags": ("a",), "contracts": ("revenue",), **said})


def sentences(policy_: GateSpec, claim_: Claim | None, now_: Circumstances) -> list[str]:
    return [one.sentence for one in judge(policy_, claim_, now_)]


def test_evidence_for_all_that_is_required_lets_in() -> None:
    assert sentences(policy(), claim(), now()) == []


def test_a_stage_that_requires_nothing_lets_nobody_in() -> None:
    assert "nothing is required" in sentences(GateSpec(), claim(), now())[0]


def test_without_evidence_nobody_is_let_in() -> None:
    assert sentences(policy(), None, now()) == [
        "evidence: there is none; collect it with `harness gate --to acc`",
    ]


@pytest.mark.parametrize(
    ("requires", "said", "expected"),
    [
        ("unit", {"collected": ()}, "unit: nothing was collected"),
        ("unit", {"collected": (Collected(requirement="unit", outcome="pass"),)}, "unit: nothing was checked"),
        (
            "unit",
            {"collected": (Collected(requirement="unit", outcome="fail", checked=4, failed=1),)},
            "unit: 1 of 4 failed",
        ),
        (
            "proofs",
            {"collected": (Collected(requirement="proofs", outcome="missing", reasons=("no prover",)),)},
            "proofs: no prover",
        ),
        ("runs", {"dags": ()}, "runs: a: it was not run"),
        ("runs", {"dags": (DAG.model_copy(update={"tasks": 0}),)}, "runs: a: it was not run"),
        (
            "runs",
            {"dags": (DAG.model_copy(update={"verdict": "fail", "reasons": ("load failed",)}),)},
            "runs: a: load failed",
        ),
        ("contracts", {"dags": (DAG.model_copy(update={"contracts": ()}),)}, "contracts: revenue: no run wrote"),
        (
            "contracts",
            {
                "dags": (DAG.model_copy(update={"broken": ("revenue: no column `eur`",)}),),
                "contracts": (ContractShape(contract="revenue", dataset="s3:lake/gold", consumers=("b", "c")),),
            },
            "contracts: a: revenue: no column `eur`; it is read by b, c",
        ),
    ],
)
def test_a_requirement_that_is_not_met_is_named(requires: str, said: dict[str, Any], expected: str) -> None:
    found = sentences(policy(requires=[requires]), claim(**said), now())
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    ("outcome", "refused"), [("holds", False), ("skipped", False), ("undecided", True), ("refuted", True)]
)
def test_only_what_holds_or_is_declared_counts_as_proved(outcome: str, refused: bool) -> None:
    proof = Proved.model_validate({"property": "rerun", "outcome": outcome, "reason": "2 rows differ"})
    held = claim(dags=(DAG.model_copy(update={"proofs": (proof,)}),))
    found = sentences(policy(requires=["proofs"], proofs=["rerun"]), held, now())
    assert found == ([f"proofs: a: rerun is {outcome}: 2 rows differ"] if refused else [])


def test_the_first_difference_of_a_refuted_property_is_told() -> None:
    proof = Proved(property="rerun", outcome="refuted", reason="not the same", differences=("2 rows more", "1 less"))
    held = claim(dags=(DAG.model_copy(update={"proofs": (proof,)}),))
    found = sentences(policy(requires=["proofs"], proofs=["rerun"]), held, now())
    assert found == ["proofs: a: rerun is refuted: not the same: 2 rows more"]


def test_a_property_that_was_not_asked_is_named() -> None:
    found = sentences(policy(requires=["proofs"]), claim(), now(properties=("rerun", "order")))
    assert found == ["proofs: a: not asked: rerun, order"]


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ({**DIGESTS, "jobs/a.py": "9" * 64}, "evidence: jobs/a.py: changed since the evidence was made"),
        ({**DIGESTS, "dags/b.py": "9" * 64}, "evidence: dags/b.py: is new since the evidence was made"),
        ({n: d for n, d in DIGESTS.items() if n != "dags/a.py"}, "evidence: dags/a.py: is gone since"),
    ],
)
def test_a_subject_that_differs_is_named(subjects: dict[str, str], expected: str) -> None:
    (found,) = sentences(policy(), claim(), now(subjects=subjects))
    assert found.startswith(expected)


def test_what_is_known_of_a_change_is_told() -> None:
    changed = {"environment acc": "airflow.variables.region"}
    found = sentences(policy(), claim(), now(subjects={**DIGESTS, "environment acc": "0" * 64}, changed=changed))
    assert found == ["evidence: environment acc: changed since the evidence was made: airflow.variables.region"]


def test_many_changes_are_counted() -> None:
    then = {f"f{number:02}": "1" * 64 for number in range(40)}
    found = sentences(policy(), claim(digests=then), now(subjects=dict.fromkeys(then, "2" * 64)))
    assert len(found) == 13
    assert found[-1] == "evidence: 28 more subjects are not what the evidence is about"


@pytest.mark.parametrize(
    ("rules", "said", "expected"),
    [
        ({}, {"environment": "test"}, "it is about test, not acc"),
        ({}, {"commit": "d" * 40}, "it was made for commit dddddddddddd, and this is cccccccccccc"),
        ({"max_age": "30m"}, {}, "it is 1.0 hours old, and at most 30m is allowed"),
        ({}, {"finished": NOW + timedelta(hours=1)}, "it comes from the future"),
    ],
)
def test_evidence_that_does_not_fit_is_refused_with_its_own_reason(
    rules: dict[str, Any], said: dict[str, Any], expected: str
) -> None:
    (found,) = sentences(policy(**rules), claim(**said), now())
    assert expected in found


@pytest.mark.parametrize(
    ("state", "keys", "expected"),
    [
        ("unsigned", [], None),
        ("verified", ["release.pub"], None),
        ("unsigned", ["release.pub"], "it is not signed"),
        ("unknown", ["release.pub"], "with none of the keys that the policy lists (release.pub)"),
        ("broken", [], "it was changed after it had been signed"),
    ],
)
def test_evidence_counts_when_its_signature_does(state: str, keys: list[str], expected: str | None) -> None:
    found = sentences(policy(keys=keys), claim(signature=state), now())
    assert (not found) if expected is None else (len(found) == 1 and expected in found[0])


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("s3:signatures", "fidelity: s3:signatures: lake (embedded) cannot show signatures: any key is accepted"),
        ("kafka", "fidelity: kafka: acc has no kafka"),
        ("s3:versioning", None),
    ],
)
def test_an_engine_that_cannot_show_what_is_wanted_is_named(feature: str, expected: str | None) -> None:
    engine = EngineUsed(service="lake", role="s3", engine="embedded", lacks=("signatures: any key is accepted",))
    found = sentences(policy(fidelity=[feature]), claim(engines=(engine,)), now())
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("approval", "state", "expected"),
    [
        (None, "unsigned", "nobody has approved; ann may"),
        (("ann", "tested"), "verified", None),
        (("ann", "tested"), "unsigned", "unauthenticated"),
        (("ann", "tested"), "unknown", "with none of the keys"),
        (("bob", "tested"), "verified", "bob may not approve; ann may"),
        (("ann", " "), "verified", "it has no reason"),
    ],
)
def test_a_green_light_counts_when_it_is_given_by_whom_the_policy_names(
    approval: tuple[str, str] | None, state: str, expected: str | None
) -> None:
    wanted = policy(approvals={"names": ["ann"], "signed": True})
    given = Approval(name=approval[0], reason=approval[1], at=NOW) if approval else None
    found = [one.sentence for one in approved(wanted, given, Signature.model_validate({"state": state}))]
    assert (not found) if expected is None else (len(found) == 1 and expected in found[0])


def test_an_unsigned_approval_is_enough_where_the_policy_says_so() -> None:
    given = Approval(name="ann", reason="tested", at=NOW)
    assert approved(policy(approvals={"names": ["ann"]}), given, Signature()) == []


@pytest.mark.parametrize(("age", "seconds"), [("45s", 45), ("30m", 1800), ("12h", 43200), ("7d", 604800)])
def test_an_age_is_read(age: str, seconds: int) -> None:
    assert seconds_of(age) == seconds
