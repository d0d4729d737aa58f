from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.environment.spec import EnvironmentSpec, GateSpec
from harness.gate.contracts import Contract
from harness.gate.plan import Plan, plan
from harness.gate.subjects import Scope
from harness.models.gate import Claim, Collected, ContractShape, DagEvidence, Evidence, Proved, Signature, Subject

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = {
    "tests/unit/test_a.py": "test",
    "environment test": "environment",
    "environment dev": "environment",
    "environments/contracts/c.yaml": "contract",
}
INPUTS = {
    "a": ("dags/a.py", "jobs/a.py", "jobs/shared.py"),
    "b": ("dags/b.py", "jobs/shared.py"),
    "c": ("dags/c.py",),
}
NAMES = sorted({name for names in INPUTS.values() for name in names} | set(KINDS) | {"constraints.txt"})


def scope(**changed: str) -> Scope:
    """The project; a keyword gives another digest to the subject whose name ends so."""
    said = dict.fromkeys(NAMES, "1" * 64)
    for end, digest in changed.items():
        (name,) = [name for name in NAMES if name.replace("/", "_").replace(".", "_").replace(" ", "_").endswith(end)]
        said[name] = digest * 64
    subjects = {
        name: Subject.model_validate({"name": name, "kind": KINDS.get(name, "input"), "sha256": digest})
        for name, digest in said.items()
    }
    run, proved = ("constraints.txt", "environment test"), ("constraints.txt", "environment dev")
    return Scope(subjects, run, proved, INPUTS, {dag: f"dags/{dag}.py" for dag in INPUTS})


def evidence(dags: dict[str, dict[str, Any]] | None = None, signature: str = "unsigned", **said: Any) -> Claim:
    found = []
    for dag_id, inputs in INPUTS.items():
        base = {"dag_id": dag_id, "path": f"dags/{dag_id}.py", "inputs": inputs, "verdict": "pass", "tasks": 1}
        own = (dags or {}).get(dag_id, {})
        # what was proved, the newest first: (property, outcome)
        proofs = [{"property": name, "outcome": word, "collected": NOW} for name, word in own.get("proofs", ())]
        found.append(DagEvidence.model_validate({**base, "collected": NOW, **own, "proofs": proofs}))
    unit = Collected(requirement="unit", outcome="pass", checked=1)
    where = {"environment": "test", "stage": "test", "proofs_in": "dev"}
    times = {"started": NOW, "finished": NOW, "commit": "c" * 40}
    held = Evidence.model_validate({**where, **times, "collected": (unit,), "dags": tuple(found), **said})
    return Claim(
        file="test.json",
        evidence=held,
        subjects=tuple(scope().subjects.values()),
        signature=Signature.model_validate({"state": signature}),
    )


def planned(scope_: Scope, *earlier: Claim, policy: dict[str, Any] | None = None, **how: Any) -> Plan:
    rules = GateSpec.model_validate({"requires": ["runs", "unit"], "proofs_in": "dev", **(policy or {})})
    return plan(rules, scope_, earlier, environment="test", at=NOW, **how)


@pytest.mark.parametrize(
    ("changed", "runs", "unit"),
    [
        ({}, (), True),
        ({"dags_a_py": "2"}, ("a",), False),
        ({"jobs_a_py": "2"}, ("a",), False),
        ({"jobs_shared_py": "2"}, ("a", "b"), False),
        ({"dags_c_py": "2"}, ("c",), False),
        ({"constraints_txt": "2"}, ("a", "b", "c"), False),
        ({"environment_test": "2"}, ("a", "b", "c"), True),
        ({"environment_dev": "2"}, (), True),
        ({"test_a_py": "2"}, (), False),
    ],
)
def test_what_depends_on_a_change_is_collected_again_and_nothing_else(
    changed: dict[str, str], runs: tuple[str, ...], unit: bool
) -> None:
    found = planned(scope(**changed), evidence())
    assert found.runs == runs
    assert (found.unit is not None) == unit
    assert {dag.reused for dag in found.known.values()} <= {"c" * 40}


@pytest.mark.parametrize(
    ("claim", "policy"),
    [
        (None, {}),
        (evidence({dag: {"verdict": "fail"} for dag in INPUTS}), {}),
        (evidence({dag: {"verdict": None} for dag in INPUTS}), {}),
        (evidence({dag: {"broken": ("c: no column `x`",)} for dag in INPUTS}), {}),
        (evidence({dag: {"collected": NOW - timedelta(days=9)} for dag in INPUTS}), {"max_age": "7d"}),
        (evidence({dag: {"inputs": ("dags/gone.py",)} for dag in INPUTS}), {}),
        (evidence(signature="unsigned"), {"keys": ["team.pub"]}),
        (evidence(signature="unknown"), {"keys": ["team.pub"]}),
        (evidence(signature="broken"), {}),
    ],
    ids=[
        "none",
        "failed",
        "not run",
        "broken contract",
        "too old",
        "other inputs",
        "unsigned",
        "wrong key",
        "tampered",
    ],
)
def test_what_is_not_valid_is_not_taken_over(claim: Claim | None, policy: dict[str, Any]) -> None:
    assert planned(scope(), *([claim] if claim else []), policy=policy).runs == ("a", "b", "c")


def test_all_is_collected_again_when_it_is_asked_for() -> None:
    found = planned(scope(), evidence(), everything=True)
    assert (found.runs, found.unit) == (("a", "b", "c"), None)


def test_only_the_dags_that_the_policy_names_are_run() -> None:
    assert planned(scope(), policy={"runs": ["b", "unknown"]}).runs == ("b",)


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        ([], ("a", "b", "c")),
        ([("rerun", "holds")], ("b", "c")),
        ([("rerun", "skipped")], ("b", "c")),
        ([("rerun", "undecided")], ("a", "b", "c")),
        ([("order", "holds")], ("a", "b", "c")),
        ([("rerun", "holds"), ("order", "undecided")], ("b", "c")),
    ],
)
def test_a_property_that_is_known_to_hold_is_not_proved_again(
    proofs: list[tuple[str, str]], expected: tuple[str, ...]
) -> None:
    policy = {"requires": ["proofs"], "proofs": ["rerun"]}
    assert planned(scope(), evidence({"a": {"proofs": proofs}}), policy=policy).proofs == expected


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        ([], {"rerun", "order"}),
        ([("masked", "holds")], {"masked", "rerun", "order"}),
        ([("rerun", "refuted")], {"order"}),  # what has changed its mind is asked again
        ([("rerun", "skipped")], {"rerun", "order"}),
    ],
)
def test_proofs_of_several_pieces_of_evidence_count_together(newer: list[tuple[str, str]], expected: set[str]) -> None:
    claims = [evidence({"a": {"proofs": proofs}}) for proofs in (newer, [("rerun", "holds"), ("order", "holds")])]

    properties = ("masked", "rerun", "order")
    known = planned(scope(), *claims, policy={"requires": ["proofs"]}, properties=properties).known["a"]

    assert {one.property for one in known.proofs} == expected
    assert len(known.proofs) == len(expected)


PROVED = {dag: {"proofs": [("rerun", "holds")]} for dag in INPUTS}


@pytest.mark.parametrize(
    ("claim", "changed", "policy", "runs", "proofs"),
    [
        (evidence(PROVED), {}, {}, (), ()),
        (evidence(PROVED), {"environment_test": "2"}, {}, ("a", "b", "c"), ()),
        (evidence(PROVED), {"environment_dev": "2"}, {}, (), ("a", "b", "c")),
        (evidence(PROVED), {"dags_c_py": "2"}, {}, ("c",), ("c",)),
        (evidence(PROVED, environment="acc", stage="acc"), {}, {}, ("a", "b", "c"), ()),
        (evidence(PROVED, proofs_in="test"), {}, {}, (), ("a", "b", "c")),
        (evidence(PROVED, proofs_in="test"), {}, {"proofs_in": None}, (), ()),
        (evidence(PROVED, signature="unsigned"), {}, {"keys": ["team.pub"]}, ("a", "b", "c"), ("a", "b", "c")),
    ],
    ids=[
        "nothing changed",
        "only what runs are made in has changed",
        "only what proofs are made in has changed",
        "a file has changed",
        "another stage had them made in the same",
        "they were made in another",
        "they were made here",
        "nobody vouches for them",
    ],
)
def test_proofs_count_for_every_stage_that_has_them_made_in_the_same_environment(
    claim: Claim, changed: dict[str, str], policy: dict[str, Any], runs: tuple[str, ...], proofs: tuple[str, ...]
) -> None:
    wanted = {"requires": ["runs", "proofs"], "proofs": ["rerun"], **policy}
    found = planned(scope(**changed), claim, policy=wanted)
    assert (found.runs, found.proofs) == (runs, proofs)
    assert {one.reused for proofs in found.proved.values() for one in proofs} <= {"c" * 40}


def test_only_proofs_that_the_policy_asks_for_are_taken_over() -> None:
    claim = evidence({"a": {"proofs": [("rerun", "holds"), ("order", "holds")]}})
    found = planned(scope(), claim, policy={"requires": ["runs", "proofs"], "proofs": ["order"]})
    assert [one.property for one in found.known["a"].proofs] == ["order"]


def test_a_proof_ages_by_its_own_date_however_often_it_is_taken_over() -> None:
    old = Proved(property="rerun", outcome="holds", collected=NOW - timedelta(days=8))
    claim = evidence()
    (first, *others) = claim.evidence.dags
    dags = (first.model_copy(update={"proofs": (old,)}), *others)
    claim = claim.model_copy(update={"evidence": claim.evidence.model_copy(update={"dags": dags})})

    policy = {"requires": ["runs", "proofs"], "proofs": ["rerun"]}
    assert planned(scope(), claim, policy={**policy, "max_age": "9d"}).proofs == ("b", "c")
    assert planned(scope(), claim, policy={**policy, "max_age": "7d"}).proofs == ("a", "b", "c")
    assert planned(scope(), claim, policy={**policy, "max_age": "7d"}).runs == ()


def test_the_unit_tests_age_by_their_own_date_too() -> None:
    unit = Collected(requirement="unit", outcome="pass", checked=1, at=NOW - timedelta(days=8))
    assert planned(scope(), evidence(collected=(unit,)), policy={"max_age": "9d"}).unit is not None
    assert planned(scope(), evidence(collected=(unit,)), policy={"max_age": "7d"}).unit is None


@pytest.mark.parametrize(
    ("dags", "writers", "expected"),
    [
        ({"b": {"contracts": ("c",)}}, {}, ("b",)),
        ({}, {"c": {"outputs": {"postgres": ["warehouse.public.c"]}}}, ("c",)),
        ({}, {}, ("a", "b", "c")),
    ],
    ids=["wrote it before", "declares it as its output", "nobody knows"],
)
def test_a_changed_contract_has_its_data_looked_at_again(
    dags: dict[str, Any], writers: dict[str, Any], expected: tuple[str, ...]
) -> None:
    services = {"postgres": {"databases": ["warehouse"]}}
    spec = EnvironmentSpec.model_validate({"stage": "test", "services": services, "dags": writers})
    shape = ContractShape(contract="c", dataset="postgres:warehouse.public.c")
    contract = Contract(shape, "postgres", "warehouse.public.c", Path("environments/contracts/c.yaml"))
    found = planned(scope(contracts_c_yaml="2"), evidence(dags), contracts=[contract], spec=spec)
    assert found.runs == expected
