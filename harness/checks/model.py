"""What a check says: findings and the report of one check, as plain data."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field, computed_field

from harness.models.base import Frozen
from harness.models.run import Verdict

Severity = Literal["error", "warning", "info"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Most serious first."""


class Finding(Frozen):
    """One thing that is wrong with a DAG, where it stands, and what to do about it.

    Args:
        rule: id of the rule (`DAG012`), or ruff's own code (`AIR301`).
        path: the file, as the caller named it.
        line: 1-based, as editors count.
        column: 1-based.
        dag_id: the DAG it concerns, when it concerns one.
        message: what is wrong, in one line.
        hint: what to write instead.
        name: the rule's name in words (`masked-failure`).
        family: the rule's family (`reliability`).
    """

    rule: str
    path: str
    line: int = 1
    column: int = 1
    dag_id: str | None = None
    message: str
    hint: str = ""
    severity: Severity = "error"
    name: str = ""
    family: str = ""

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    def at_least(self, severity: Severity) -> bool:
        """Say whether it is as serious as that."""
        return SEVERITIES.index(self.severity) <= SEVERITIES.index(severity)

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Sort key: by file, from top to bottom."""
        return (self.path, self.line, self.column, self.rule, self.message)


class CheckReport(Frozen):
    """All findings of one check. Its JSON is the contract `harness.check/1`: additive within the version.

    Args:
        fail_on: the least serious finding that makes the check fail.
        paths: the DAG files that were looked at.
        files: how many they are.
        dags: how many DAGs were found in them.
        hidden: findings that a stated reason or the baseline suppresses.
    """

    schema_: Literal["harness.check/1"] = Field(default="harness.check/1", alias="schema")
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    fail_on: Severity = "error"
    paths: tuple[str, ...] = ()
    files: int = 0
    dags: int = 0
    findings: tuple[Finding, ...] = ()
    hidden: int = 0
    seconds: float = 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def statistics(self) -> dict[str, int]:
        """How often each rule was found, the most frequent first."""
        return dict(Counter(sorted(finding.rule for finding in self.findings)).most_common())

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"

    def count(self, severity: Severity) -> int:
        """Return how many findings have that severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def by_rule(self) -> Counter[str]:
        return Counter(finding.rule for finding in self.findings)
