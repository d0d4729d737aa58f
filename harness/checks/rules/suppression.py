"""Whether the comments that hide findings say why, and hide something. These findings cannot be hidden themselves."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.registry import Hit, rule
from harness.checks.source.file import SourceFile
from harness.checks.suppress import suppressions

FAMILY = "suppression"


@rule("DAG901", "bare-ignore", family=FAMILY, severity="error")
def bare_ignore(file: SourceFile) -> Iterator[Hit]:
    """A comment hides findings without a rule or without a reason.

    Nobody can later say whether it is still right.

    Bad:
        REGION = Variable.get("region")  # harness: ignore[DAG401]  # <-
    Good:
        REGION = Variable.get("region")  # harness: ignore[DAG401] read from a file backend on this platform
    Tricky:
        REGION = Variable.get("region")  # harness: ignore - everything is fine  # <-
    Source: none; the same holds for `noqa` and `type: ignore` in well-kept projects.
    """
    for one in suppressions(file.text):
        if not one.rules:
            yield Hit(one.line, "the comment does not say which rule it hides", "# harness: ignore[DAG401] why")
        elif not one.reason:
            yield Hit(one.line, f"{', '.join(one.rules)} is hidden without a reason", "# harness: ignore[DAG401] why")


@rule("DAG902", "idle-ignore", family=FAMILY, severity="warning")
def idle_ignore(idle: list[tuple[int, str]]) -> Iterator[Hit]:
    """A comment hides nothing.

    The code was repaired, or the rule was; the comment would hide the next defect.

    Bad:
        REGION = "eu"  # harness: ignore[DAG401] a file backend answers at once  # <-
    Good:
        REGION = "eu"
    Tricky:
        # harness: ignore[DAG402] this is a variable, not a connection  # <-
        REGION = Variable.get("region")
    Source: ruff RUF100.
    """
    for line, rule_id in idle:
        yield Hit(line, f"the comment hides nothing: there is no {rule_id} here", "remove it")


@rule("DAG903", "unknown-rule", family=FAMILY, severity="error")
def unknown_rule(file: SourceFile, rule_ids: frozenset[str]) -> Iterator[Hit]:
    """A comment names a rule that does not exist.

    Bad:
        REGION = "eu"  # harness: ignore[DAG999] nothing to see  # <-
    Good:
        REGION = "eu"
    Tricky:
        REGION = Variable.get("region")  # harness: ignore DAG401, DAG899 - a file backend  # <-
    Source: none.
    """
    for one in suppressions(file.text):
        for rule_id in one.rules:
            if rule_id not in rule_ids and not rule_id.startswith("AIR"):
                yield Hit(one.line, f"there is no rule {rule_id}", "harness check --explain lists them")
