from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from harness.environment import Environment
from harness.errors import ConfigError
from harness.gate import store
from harness.gate.evidence import open_claim, seal, statement
from harness.gate.merge import merge
from harness.gate.policy import judge
from harness.gate.subjects import DagFile, gather, without_gate
from harness.gate.verify import circumstances, verify
from harness.models.gate import Claim, Collected, DagEvidence, Evidence

from .conftest import commit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def environment() -> Environment:
    return Environment.load("acc")


def scope(project: Path):
    return gather(environment(), [DagFile(project / "dags" / "orders.py", ("orders",))])


def make(project: Path, *signers: Path, dag: str = "orders", outcome: str = "pass") -> Path:
    """Write evidence of the project as it is."""
    said = Evidence(
        environment="acc",
        stage="acc",
        commit=store.commit_of(project),
        started=NOW - timedelta(minutes=2),
        finished=NOW - timedelta(minutes=1),
        resolved=without_gate(environment()),
        collected=(Collected.model_validate({"requirement": "integrity", "outcome": outcome, "checked": 1}),),
        dags=(DagEvidence(dag_id=dag, path="dags/orders.py", verdict="pass", runs=1, tasks=2),),
    )
    content = seal(statement(said, scope(project).subjects.values(), passed=outcome == "pass"), signers)
    return store.write(project, "acc", said.commit, content)


def refusals(project: Path, claim: Claim, *, at: datetime = NOW, **policy: object) -> list[str]:
    """Judge the evidence against the project as it is now."""
    now = circumstances(claim, project, environment(), at)
    rules = environment().spec.gate.model_copy(update=policy)
    return [one.sentence for one in judge(rules, claim, now)]


def test_the_subjects_are_what_the_dag_depends_on_and_nothing_else(project: Path) -> None:
    found = scope(project)
    assert set(found.inputs["orders"]) == {
        "dags/orders.py",
        "jobs/__init__.py",
        "jobs/load.py",
        "jobs/common.py",
        "jobs/spark/count.py",
        "jobs/spark/words.py",
        "config/limits.json",
        "dags/sql/count.sql",
        "dags/sql/head.sql",
    }
    packages = {name for name in found.shared if name.startswith("package ")}
    assert {"package apache-airflow", "package dtap-harness"} <= packages
    assert set(found.shared) - packages == {"constraints.txt", "environment acc"}
    assert found.subjects["tests/unit/test_load.py"].kind == "test"
    assert "jobs/unrelated.py" not in found.subjects
    assert "README.md" not in found.subjects


def test_the_file_is_an_in_toto_statement_of_test_results(project: Path) -> None:
    envelope = json.loads(make(project).read_text())
    said = json.loads(base64.b64decode(envelope["payload"]))

    parsed = Statement.copy_from_pb(ParseDict(said, statement_pb2.Statement()))
    parsed.validate()
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert parsed.pb.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    assert parsed.pb.predicate["result"] == "PASSED"
    configuration = [one["name"] for one in said["predicate"]["configuration"]]
    assert {"constraints.txt", "environment acc", "package apache-airflow"} <= set(configuration)


def test_no_secret_stands_in_evidence(project: Path) -> None:
    payload = base64.b64decode(json.loads(make(project).read_text())["payload"])
    assert b"partner.example.com" in payload
    assert b"hunter2" not in payload


def test_another_secret_is_no_other_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scope(project).subjects["environment acc"]
    monkeypatch.setenv("PARTNER_PASSWORD", "hunter3")
    assert scope(project).subjects["environment acc"] == before


def test_evidence_of_what_is_here_lets_in(project: Path) -> None:
    assert refusals(project, open_claim(make(project))) == []


CHANGES = [
    ("dags/orders.py", "dags/orders.py: changed"),
    ("jobs/load.py", "jobs/load.py: changed"),
    ("jobs/common.py", "jobs/common.py: changed"),
    ("config/limits.json", "config/limits.json: changed"),
    ("dags/sql/count.sql", "dags/sql/count.sql: changed"),
    ("dags/sql/head.sql", "dags/sql/head.sql: changed"),
    ("jobs/spark/count.py", "jobs/spark/count.py: changed"),
    ("jobs/spark/words.py", "jobs/spark/words.py: changed"),
    ("constraints.txt", "constraints.txt: changed"),
    ("tests/unit/test_load.py", "tests/unit/test_load.py: changed"),
]


@pytest.mark.parametrize(("name", "expected"), CHANGES)
def test_one_changed_byte_is_refused_by_name(project: Path, name: str, expected: str) -> None:
    claim = open_claim(make(project))
    with (project / name).open("a") as file:
        file.write("\n")
    (found,) = refusals(project, claim)
    assert found.startswith(f"evidence: {expected}")


def test_a_changed_value_of_the_environment_is_refused_by_its_name(project: Path) -> None:
    claim = open_claim(make(project))
    file = project / "environments" / "acc.yaml"
    file.write_text(file.read_text().replace("eu-west-1", "eu-west-2"))
    assert refusals(project, claim) == [
        "evidence: environment acc: changed since the evidence was made: airflow.variables.region"
    ]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("environments/acc.yaml", lambda text: f"# a comment\n{text}"),
        ("environments/acc.yaml", lambda text: text.replace("max_age: 1d", "max_age: 2d")),
        ("README.md", lambda text: f"{text}more\n"),
        ("jobs/unrelated.py", lambda text: "x = 2\n"),
    ],
)
def test_what_the_verdict_does_not_depend_on_may_change(project: Path, name: str, change: Callable[[str], str]) -> None:
    claim = open_claim(make(project))
    (project / name).write_text(change((project / name).read_text()))
    assert refusals(project, claim) == []


def test_another_version_of_airflow_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = open_claim(make(project))
    monkeypatch.setattr("harness.gate.subjects.version", lambda name: "0.0.1")
    found = refusals(project, claim)
    assert "evidence: package apache-airflow: changed since the evidence was made" in found


def test_a_file_that_is_gone_is_named(project: Path) -> None:
    claim = open_claim(make(project))
    (project / "config" / "limits.json").unlink()
    assert refusals(project, claim) == ["evidence: config/limits.json: is gone since the evidence was made"]


def test_evidence_of_another_commit_is_refused(project: Path) -> None:
    claim = open_claim(make(project))
    (project / "README.md").write_text("other\n")
    here = commit(project)
    (found,) = refusals(project, claim)
    assert f"it was made for commit {claim.evidence.commit[:12]}, and this is {here[:12]}" in found


def test_old_evidence_is_refused(project: Path) -> None:
    (found,) = refusals(project, open_claim(make(project)), at=NOW + timedelta(days=3))
    assert "it is 3.0 days old, and at most 1d is allowed" in found


def test_a_signature_is_verified_by_its_key_alone(project: Path, keys: Path) -> None:
    file = make(project, keys / "ann.key")
    by_ann, by_bob = open_claim(file, [keys / "ann.pub"]), open_claim(file, [keys / "bob.pub"])
    assert refusals(project, by_ann, keys=["ann.pub"]) == []
    (found,) = refusals(project, by_bob, keys=["bob.pub"])
    assert "it is signed, but with none of the keys that the policy lists (bob.pub)" in found


def test_evidence_that_was_tampered_with_is_refused(project: Path, keys: Path) -> None:
    file = make(project, keys / "ann.key", outcome="fail")
    envelope = json.loads(file.read_text())
    payload = base64.b64decode(envelope["payload"]).replace(b'"outcome": "fail"', b'"outcome": "pass"')
    envelope["payload"] = base64.b64encode(payload).decode()
    file.write_text(json.dumps(envelope))
    (found,) = refusals(project, open_claim(file, [keys / "ann.pub"]), keys=["ann.pub"])
    assert "the signature does not fit the content" in found


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"payload": "e30=", "payloadType": "x", "signatures": []}'])
def test_a_file_that_is_no_evidence_is_told_so(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.dsse.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"x\.dsse\.json: (is no signed envelope|holds no evidence)"):
        open_claim(file)


@pytest.mark.parametrize("content", ["", "no key"])
def test_a_file_that_is_no_key_is_told_so(project: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "x.key").write_text(content)
    with pytest.raises(ConfigError, match=r"x\.key: cannot be used as a private key"):
        make(project, tmp_path / "x.key")


def test_evidence_is_never_overwritten(project: Path) -> None:
    first, second = make(project), make(project)
    assert (first.name, second.name) == (
        f"acc-{store.commit_of(project)[:12]}.dsse.json",
        f"acc-{store.commit_of(project)[:12]}-2.dsse.json",
    )
    assert store.find(project, "acc")[0] == second
    assert [path.name for path in store.folder(project).iterdir() if path.name.endswith(".tmp")] == []


def test_what_differs_from_the_commit_is_known(project: Path) -> None:
    (project / "jobs" / "load.py").write_text("# other\n")
    (project / "jobs" / "new.py").write_text("")
    assert store.dirty(project, ["dags/orders.py", "jobs/load.py", "jobs/new.py"]) == ("jobs/load.py", "jobs/new.py")


def test_verify_names_each_subject_that_differs(project: Path, keys: Path) -> None:
    file = make(project, keys / "ann.key")
    good = verify(file, project, Path("environments"), [keys / "ann.pub"], now=NOW)
    assert (good.verdict, good.signature, good.mismatches) == ("pass", "verified", ())

    (project / "jobs" / "common.py").write_text("")
    (project / "constraints.txt").unlink()
    bad = verify(file, project, Path("environments"), [keys / "bob.pub"], now=NOW)
    assert bad.mismatches == (
        "it is signed, but with none of the keys given: bob.pub",
        "jobs/common.py: changed since the evidence was made",
        "constraints.txt: is gone since the evidence was made",
    )


def test_shards_make_one_piece_of_evidence(project: Path) -> None:
    parts = [open_claim(make(project, dag=dag)) for dag in ("orders", "returns")]
    merged, subjects = merge(parts)
    assert [dag.dag_id for dag in merged.dags] == ["orders", "returns"]
    assert merged.collected[0].checked == 2
    assert {one.name for one in subjects} == set(parts[0].digests)


def test_what_failed_in_one_shard_failed(project: Path) -> None:
    merged, _ = merge([open_claim(make(project)), open_claim(make(project, outcome="fail"))])
    assert merged.collected[0].outcome == "fail"


def test_shards_of_different_code_are_not_merged(project: Path) -> None:
    first = open_claim(make(project))
    (project / "jobs" / "common.py").write_text("")
    with pytest.raises(ConfigError, match=r"jobs/common\.py is not the same"):
        merge([first, open_claim(make(project))])
