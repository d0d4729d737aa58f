"""Makes one piece of evidence of several: the shards of a matrix, each of which ran a part of the DAGs."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import ConfigError
from harness.models.gate import Claim, Collected, DagEvidence, Evidence, Subject

_WORST = {"fail": 2, "pass": 1, "missing": 0}
"""Which outcome stands for both: what failed anywhere failed, and what is missing here may be there."""


def merge(claims: Sequence[Claim]) -> tuple[Evidence, tuple[Subject, ...]]:
    """Merge evidence of one commit in one environment.

    Raises:
        ConfigError: the pieces are not about the same commit, environment and subjects.
    """
    if len(claims) < 2:
        raise ConfigError("one piece of evidence is nothing to merge", hint="name two files or more")
    first = claims[0]
    subjects: dict[str, Subject] = {}
    for claim in claims:
        _same(first, claim)
        for one in claim.subjects:
            known = subjects.setdefault(one.name, one)
            if known.sha256 != one.sha256:
                raise ConfigError(f"{one.name} is not the same as in {first.file}", path=claim.file)
    every = [claim.evidence for claim in claims]
    return first.evidence.model_copy(
        update={
            "started": min(one.started for one in every),
            "finished": max(one.finished for one in every),
            "dirty": tuple(sorted({name for one in every for name in one.dirty})),
            "collected": _collected(every),
            "dags": _dags(every),
            "drift": tuple(dict.fromkeys(found for one in every for found in one.drift)),
            "engines": tuple({(e.service, e.engine): e for one in every for e in one.engines}.values()),
        }
    ), tuple(subjects.values())


def _same(first: Claim, other: Claim) -> None:
    for name in ("environment", "stage", "commit", "mode"):
        mine, theirs = getattr(first.evidence, name), getattr(other.evidence, name)
        if mine != theirs:
            raise ConfigError(
                f"its {name} is {theirs or 'none'}, and that of {first.file} {mine or 'none'}", path=other.file
            )
    if other.signature.state == "broken":
        raise ConfigError("its signature does not fit its content", path=other.file)


def _collected(every: Sequence[Evidence]) -> tuple[Collected, ...]:
    names = dict.fromkeys(one.requirement for evidence in every for one in evidence.collected)
    return tuple(_one([found for evidence in every if (found := evidence.of(name))]) for name in names)


def _one(parts: Sequence[Collected]) -> Collected:
    return Collected(
        requirement=parts[0].requirement,
        outcome=max((part.outcome for part in parts), key=_WORST.__getitem__),
        checked=sum(part.checked for part in parts),
        failed=sum(part.failed for part in parts),
        reasons=tuple(dict.fromkeys(reason for part in parts for reason in part.reasons if part.outcome != "missing")),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        seconds=sum(part.seconds for part in parts),
    )


def _dags(every: Sequence[Evidence]) -> tuple[DagEvidence, ...]:
    found: dict[str, DagEvidence] = {}
    for dag in (dag for evidence in every for dag in evidence.dags):
        known = found.get(dag.dag_id)
        # where two shards ran the same DAG, the one that failed is the one to look into
        if known is None or known.verdict is None or (dag.verdict not in (None, "pass") and known.verdict == "pass"):
            found[dag.dag_id] = dag
    return tuple(found[dag_id] for dag_id in sorted(found))
