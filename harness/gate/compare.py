"""One comparison of two environments from files to report: `harness diff`, and the gate's requirement `drift`."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checks.usage import Usage
from harness.environment import Environment
from harness.gate.drift import compare, inventory, undeclared
from harness.gate.probe import probe
from harness.models.gate import DriftReport


def diff(a: Environment | None, b: Environment, uses: Iterable[Usage], *, ask: bool = True) -> DriftReport:
    """Compare two environments in what DAGs find there.

    Args:
        a: what `b` is compared with; None compares it with the DAGs alone.
        ask: ask `b`'s external services whether what is declared is there.

    Raises:
        Unreachable: an external service does not answer.
    """
    found, asked = probe(b) if ask else ({}, ())
    differences = compare(a, b, uses, found=found, project=b.project.resolve())
    bad = undeclared(differences)
    return DriftReport(
        verdict="fail" if bad else "pass",
        reasons=tuple(one.sentence for one in bad),
        a=a.name if a else "",
        b=b.name,
        compared=len({*(inventory(a) if a else ()), *inventory(b)}),
        differences=tuple(differences),
        probed=asked,
    )
