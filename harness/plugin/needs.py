"""Decides whether a test's markers allow it on an environment, and says why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from harness.environment import Environment


def reason_to_skip(environment: Environment, markers: Iterable[pytest.Mark]) -> str | None:
    """Return the reason for which a test with these markers does not run here, or None."""
    for marker in markers:
        if marker.name == "stages" and environment.spec.stage not in marker.args:
            return f"{environment.name} is of stage {environment.spec.stage}; the test is for {', '.join(marker.args)}"
        if marker.name == "needs":
            for feature in marker.args:
                if reason := lack(environment, feature):
                    return reason
    return None


def lack(environment: Environment, feature: str) -> str | None:
    """Return why the environment lacks a role or a role's feature, or None when it has it.

    Args:
        environment: the environment under test.
        feature: `kafka`, or `s3:versioning`; an engine lacks a feature when its `fidelity` names it.
    """
    from harness.services.registry import service_type
    from harness.session.fleet import engine_for

    role, _, wanted = feature.partition(":")
    specs = [spec for spec in environment.spec.services.values() if service_type(spec.role).role == role]
    if not specs:
        return f"{environment.name} has no {role} service"
    for spec in specs:
        if limit := engine_for(spec.role, spec).limit(wanted):
            return f"{role} ({spec.engine}) cannot show {limit}"
    return None
