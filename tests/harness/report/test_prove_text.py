"""What the text of proofs says of what they were judged by."""

from __future__ import annotations

import pytest

from harness.models.proof import DagProofs, ProofResult, ProveReport
from harness.report.prove import print_proofs


def test_each_proof_says_by_how_many_outputs_it_was_judged(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("postgres: wh.public.a", "s3: lake/gold/")
    proofs = (
        ProofResult(property="rerun", outcome="holds", reason="R", judged=both),
        ProofResult(property="masked", outcome="undecided", reason="R"),
        ProofResult(property="order", outcome="skipped", reason="cumulative"),
    )
    print_proofs(ProveReport(verdict="fail", dags=(DagProofs(dag_id="sales", proofs=proofs),)))

    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert [line[1:4] for line in lines[1:4]] == [
        ["holds", "2", "outputs"],
        ["undecided", "nothing", "0"],
        ["skipped", "not", "judged"],
    ]
    assert ["sales:", "not", "judged,", "by", "declaration:", "order"] in lines
