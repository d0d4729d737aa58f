"""Which names a test's namespace must leave as they are declared: those in the code of the DAGs that it is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.api import Session


def named_in(request: pytest.FixtureRequest, session: Session) -> set[str]:
    """Return the services in which DAGs that a test may run name things in their code.

    A test that asks for no runs has none. Which DAGs it runs is told by the words of its module, its parameters among
    them; where none of them is the name of a DAG, any DAG of the folder may be meant.

    Args:
        request: of the test.
        session: on whose services it works.
    """
    if "run_dag" not in request.fixturenames:
        return set()
    text = request.path.read_text(encoding="utf-8", errors="replace")
    words = {*re.findall(r"[\"']([\w.-]{1,250})[\"']", text), *_parameters(request.node)}
    return {one.service for one in session.named(session.known(words) or None)}


def _parameters(node: pytest.Item) -> set[str]:
    callspec = getattr(node, "callspec", None)
    return {value for value in callspec.params.values() if isinstance(value, str)} if callspec is not None else set()
