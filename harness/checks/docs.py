"""Writes docs/rules.md from the rules' own pages: `python -m harness.checks.docs`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from harness.checks.air import CODES
from harness.checks.registry import Registry, Rule

TARGET = Path("docs/rules.md")

_HEAD = """\
# Rules

`harness check` judges DAG files by these rules; `harness check --explain DAG012` shows one of them. This page is made
from the rules' docstrings by `python -m harness.checks.docs`, and the examples on it are the rules' tests. They leave
out the usual imports; an arrow (`# <-`) marks the line of a finding.

A rule of severity *error* is certain to be a defect; one of severity *warning* is a risk that may be taken with a
reason; *info* is advice. A finding is hidden by a comment with a reason, on its line or on the line above:

```python
REGION = Variable.get("region")  # harness: ignore[DAG401] a file backend answers without a database
```

or for many files in pyproject.toml:

```toml
[tool.harness.check]
fail-on = "error"                       # or warning, info
heavy-modules = ["company_ml"]          # as costly at the top of a file as pandas

[tool.harness.check.ignore]
DAG104 = "the deployment sets catchup_by_default"

[tool.harness.check.per-path."dags/legacy/*"]
DAG301 = "these DAGs are not backfilled; they go in the spring"

[tool.harness.check.policy]
owners = ["data", "platform"]
dag-id = "[a-z]+(_[a-z0-9]+)+"
denied-operators = ["Bash*"]
```

`harness check --fix` repairs what is mechanical in the checked files, says what it changed, and checks again: a timeout
for `requests` (DAG208), arguments that have another name or none (DAG604, DAG605), trigger rules that were renamed
(DAG023), and what ruff's AIR rules move, with the imports that nothing needs any more. `--diff` shows the same and
changes nothing; its exit code is 1 when there is something to repair. A finding that a reason hides is not repaired.

A team's own rules come from a plugin: see `harness_rules` in `harness/hookspecs.py`.
"""


def main(arguments: Sequence[str] = ()) -> int:
    """Write the page, to another place when one is named."""
    target = Path(arguments[0]) if arguments else TARGET
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(Registry.load()), encoding="utf-8")
    return 0


def page(registry: Registry) -> str:
    """Return the whole page."""
    rules = list(registry.rules.values())
    families = {name: list(group) for name, group in groupby(_by_family(rules), key=lambda rule: rule.family)}
    parts = [_HEAD, *_table(rules)]
    for name, members in families.items():
        parts.append(f"\n## {name.capitalize()}\n")
        for rule in members:
            parts += _section(rule)
        if name == "compatibility":
            parts += _air()
    return "\n".join(parts) + "\n"


def _by_family(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules with those of one family together, families in the order of their first rule."""
    order = {family: number for number, family in enumerate(dict.fromkeys(rule.family for rule in rules))}
    return sorted(rules, key=lambda rule: (order[rule.family], rule.id))


def _table(rules: Sequence[Rule]) -> Iterator[str]:
    yield "| id | name | severity | what it finds |\n|---|---|---|---|"
    for rule in rules:
        on = "" if rule.default else ", off by default"
        yield f"| [{rule.id}](#{_anchor(rule)}) | {rule.name} | {rule.severity}{on} | {rule.page.summary} |"


def _anchor(rule: Rule) -> str:
    return f"{rule.id} {rule.name}".lower().replace(" ", "-")


def _section(rule: Rule) -> Iterator[str]:
    page = rule.page
    yield f"### {rule.id} {rule.name}\n\n*{rule.severity}* · {page.summary}\n"
    if page.why:
        yield f"{page.why}\n"
    for title, code in (("Bad", page.bad), ("Good", page.good), ("Found as well", page.tricky)):
        if code:
            yield f"{title}:\n\n```python\n{code}\n```\n"
    if page.limits:
        yield f"Limits: {page.limits}\n"
    yield f"Source: {page.source}\n"


def _air() -> Iterator[str]:
    yield "### ruff's AIR rules\n"
    yield (
        "Names that Airflow 3 has removed or moved are found by [ruff](https://docs.astral.sh/ruff/rules/#airflow-air),"
        "\nwhich knows all of them; what a rule above says about the same name is said once.\n"
    )
    yield "| code | name | severity |\n|---|---|---|"
    yield from (f"| {code} | {name} | {severity} |" for code, (name, severity) in CODES.items())
    yield ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
