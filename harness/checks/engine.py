"""Asks every rule about everything it is about, and decides which of its hits are findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.checks.config import Settings
from harness.checks.facts import FileFacts, facts_of
from harness.checks.model import Finding
from harness.checks.project import Loaded, Project
from harness.checks.registry import Hit, Registry, Rule
from harness.checks.source.file import SourceFile
from harness.checks.suppress import Suppression, suppressions

META = "DAG9"
"""Rules about suppressions: nothing suppresses them."""

_LAST = ("DAG902",)
"""Rules that need to know what the suppressions have hidden."""

Found = tuple[Finding, str | None]
"""A finding, and the name that it is about."""


@dataclass
class Judgement:
    """What the rules came to.

    Args:
        findings: those that count, by place.
        hidden: those that a reason hides.
    """

    findings: list[Finding] = field(default_factory=list)
    hidden: list[Finding] = field(default_factory=list)


class Judge:
    """Asks the rules: about each file by itself, then about the project.

    Args:
        environment: for rules that need one; None leaves them out.
    """

    def __init__(self, registry: Registry, settings: Settings, environment: Any = None) -> None:
        self.registry = registry
        self.settings = settings
        self.environment = environment
        self.rules = [rule for rule in registry.rules.values() if self._selected(rule) and rule.id not in _LAST]
        self._common = {
            "settings": settings,
            "environment": environment,
            "rule_ids": frozenset(registry.rules),
        }

    @property
    def asked(self) -> frozenset[str]:
        """Ids of the rules that are asked."""
        return frozenset(rule.id for rule in self.rules)

    def _selected(self, rule: Rule) -> bool:
        return rule.id.startswith(self.settings.select) if self.settings.select else rule.default

    def of_file(
        self, path: str, file: SourceFile | None, outcome: Loaded | None, others: Iterable[Finding] = ()
    ) -> FileFacts:
        """Return what there is to know of one DAG file, findings of its own rules included.

        Args:
            file: None for an archive, or what is no Python.
            outcome: how Airflow loaded it; None when only the source is read.
            others: findings of other tools about it.
        """
        loaded = outcome is not None and outcome.complete
        dags = list(outcome.dags) if outcome is not None and loaded else file.dags if file is not None else []
        found: list[Found] = []
        for rule in self.rules:
            match rule.scope:
                case "file" if file is not None:
                    found += self._ask(rule, path, None, file=file)
                case "outcome" if outcome is not None:
                    found += self._ask(rule, path, None, outcome=outcome)
                case "dag":
                    for dag in dags:
                        found += self._ask(rule, path, dag.dag_id or None, dag=dag, file=file)
                case "task":
                    for dag in dags:
                        for task in dag.tasks:
                            found += self._ask(rule, path, dag.dag_id or None, dag=dag, task=task, file=file)
        found += [(finding, None) for finding in others if self._counts(finding) and not repeats(finding, found)]
        return facts_of(path, file, dags, loaded=loaded).model_copy(update={"findings": tuple(found)})

    def of_project(self, project: Project) -> list[Found]:
        """Return the findings of rules about the project, and about the modules that DAG files use."""
        found = [
            f for rule in self.rules if rule.scope == "project" for f in self._ask(rule, "", None, project=project)
        ]
        for helper in project.own_helpers:
            for rule in self.rules:
                if rule.scope == "file":
                    found += self._ask(rule, helper.path, None, file=helper)
        return found

    def _ask(self, rule: Rule, path: str, dag_id: str | None, **about: Any) -> list[Found]:
        return [(finding_of(rule, hit, path, dag_id), hit.subject) for hit in self.hits(rule, **about)]

    def hits(self, rule: Rule, **about: Any) -> Iterator[Hit]:
        """Ask one rule."""
        return rule.hits({**self._common, **about})

    def _counts(self, finding: Finding) -> bool:
        return self.settings.selects(finding.rule)

    def judge(self, project: Project) -> Judgement:
        """Decide which findings count, of all that was found in the files and in the project."""
        found = [finding for facts in project.facts.values() for finding, _ in facts.findings]
        found += [finding for finding, _ in self.of_project(project)]
        comments: dict[str, tuple[Suppression, ...]] = {p: f.suppressions for p, f in project.facts.items()}
        comments |= {helper.path: tuple(suppressions(helper.text)) for helper in project.own_helpers}
        result = Judgement()
        used: set[tuple[str, int, str]] = set()
        for finding in dict.fromkeys(found):
            comment = hides(comments.get(finding.path, ()), finding)
            if comment:
                used.add((finding.path, comment.line, finding.rule))
            elif self.settings.reason(finding.rule, finding.path) is None:
                result.findings.append(finding)
                continue
            result.hidden.append(finding)
        result.findings += self._idle(comments, used)
        result.findings.sort(key=lambda finding: finding.order)
        return result

    def _idle(
        self, comments: Mapping[str, tuple[Suppression, ...]], used: set[tuple[str, int, str]]
    ) -> Iterator[Finding]:
        """Ask the last rules about comments that hid nothing."""
        idle: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for path, ones in comments.items():
            for one in ones:
                idle[path] += [(one.line, r) for r in one.rules if (path, one.line, r) not in used and r in self.asked]
        for rule in self.registry.rules.values():
            if rule.id in _LAST and self._selected(rule):
                for path, lines in idle.items():
                    for hit in rule.hits({"idle": lines}):
                        yield finding_of(rule, hit, path, None)


def repeats(finding: Finding, found: Iterable[Found]) -> bool:
    """Say whether one of our own rules says the same as another tool about the same name."""
    return any(
        subject is not None and abs(own.line - finding.line) <= 20 and f"`{subject}`" in finding.message
        for own, subject in found
    )


def hides(comments: Iterable[Suppression], finding: Finding) -> Suppression | None:
    """Return the comment that hides a finding, and says why."""
    if finding.rule.startswith(META):
        return None
    return next((c for c in comments if c.target == finding.line and finding.rule in c.rules and c.reason), None)


def finding_of(rule: Rule, hit: Hit, path: str, dag_id: str | None) -> Finding:
    """Return a rule's hit as a finding."""
    return Finding(
        rule=rule.id,
        name=rule.name,
        family=rule.family,
        severity=hit.severity or rule.severity,
        path=hit.path or path,
        line=max(1, hit.line),
        column=max(1, hit.column),
        dag_id=hit.dag_id or dag_id,
        message=hit.message,
        hint=hit.hint,
    )
