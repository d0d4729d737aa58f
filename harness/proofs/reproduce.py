"""Turns a refutation into something that can be repeated: a command, and a pytest test."""

from __future__ import annotations

import re
from pprint import pformat
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from harness.models.proof import Claim
from harness.proofs.judge import judge
from harness.proofs.lab import Lab

if TYPE_CHECKING:
    from harness.api import Session


def command(lab: Lab, name: str) -> str:
    """Return the command line that decides this property of this DAG alone."""
    session = lab.session
    words = ["harness", "prove", lab.dag_id, "--env", session.environment.name, "--property", name]
    project = session.environment.project.resolve()
    if session.dags != project / "dags":
        below = session.dags.is_relative_to(project)
        words += ["--dags", str(session.dags.relative_to(project) if below else session.dags)]
    return " ".join(words)


def replay(session: Session, dag_id: str, claim: Claim | dict[str, object]) -> list[str]:
    """Carry a claim out once more and return what contradicts it; nothing when it holds.

    Args:
        session: an open session on the environment's services.
        dag_id: which DAG of the session's folder.
        claim: the `claim` of a proof's result, or the same as plain data.
    """
    with Lab(session, dag_id) as lab:
        return judge(lab, Claim.model_validate(claim))


def as_test(dag_id: str, name: str, claim: Claim) -> str:
    """Return a test module that fails as long as the claim is violated."""
    words = ", then ".join(step.in_words() for step in claim.scenario)
    safe = re.sub(r"\W+", "_", f"{dag_id}_{name}").strip("_").lower()
    return (
        "from harness.proofs import replay\n\n"
        f"# {words}\n"
        f"CLAIM = {pformat(_plain(claim), width=110, sort_dicts=False)}\n\n\n"
        f"def test_{safe}(harness_session):\n"
        f'    assert replay(harness_session, "{dag_id}", CLAIM) == []\n'
    )


def _plain(value: Any) -> Any:
    """Return plain data without what goes without saying; what tells one kind of thing from another stays."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if not isinstance(value, BaseModel):
        return value
    fields = type(value).model_fields
    return {name: _plain(held) for name, held in value if name in ("kind", "type") or held != fields[name].default}
