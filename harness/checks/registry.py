"""The rules by id: what a rule is, how its docstring becomes its page, and where rules come from."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from harness.checks.model import Severity
from harness.checks.source.edits import Edits
from harness.errors import ConfigError

Scope = Literal["file", "dag", "task", "project", "outcome", "idle"]
_SCOPES: tuple[Scope, ...] = ("file", "dag", "task", "project", "outcome", "idle")
_SECTIONS = ("Bad", "Good", "Tricky", "Limits", "Source")

BUILT_IN = (
    *(
        "loading",
        "modules",
        "structure",
        "taskflow",
        "edges",
        "joins",
        "templates",
        "schedule",
        "reliability",
    ),
    *(
        "waiting",
        "idempotency",
        "clock",
        "stores",
        "parsing",
        "security",
        "injection",
        "compatibility",
        "policy",
        "environment",
        "suppression",
    ),
)
"""Modules of `harness.checks.rules`, in the order of the documentation."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule is broken.

    Args:
        line: 1-based.
        column: 1-based.
        severity: instead of the rule's own, when this case is more or less certain than most.
        subject: the name it is about (`schedule_interval`): another tool's finding about the same name is dropped.
        path: instead of the file that the rule was asked about.
        repair: edits of the file after which it is right; empty when a person has to think.
    """

    line: int
    message: str
    hint: str = ""
    column: int = 1
    dag_id: str | None = None
    severity: Severity | None = None
    subject: str | None = None
    path: str | None = None
    repair: Edits = ()


def at(node: ast.AST | Any, message: str, hint: str = "", **more: Any) -> Hit:
    """Return a hit at an AST node, or at anything that has a `node` or a `line`."""
    inner = getattr(node, "node", node)
    line = int(getattr(inner, "lineno", 0) or getattr(node, "line", 1))
    column = getattr(inner, "col_offset", None)
    return Hit(line, message, hint, column + 1 if column is not None else getattr(node, "column", 1), **more)


RuleFunction = Callable[..., Iterator[Hit]]


@dataclass(frozen=True)
class Page:
    """A rule's docstring in its parts.

    Args:
        summary: what it finds, in one line.
        why: what goes wrong otherwise.
        bad: code in which it is found, at the lines that end in `# <-`.
        good: the same, right.
        tricky: a disguise of the bad example that is found as well.
        limits: what it does not see.
        source: where the rule comes from.
    """

    summary: str
    why: str = ""
    bad: str = ""
    good: str = ""
    tricky: str = ""
    limits: str = ""
    source: str = ""

    @classmethod
    def of(cls, docstring: str) -> Page:
        """Read a docstring of the form: summary, why, then `Bad:`, `Good:`, `Tricky:`, `Limits:`, `Source:` blocks."""
        head, *rest = re.split(rf"^({'|'.join(_SECTIONS)}):[ \t]*", inspect.cleandoc(docstring), flags=re.MULTILINE)
        summary, _, why = head.strip().partition("\n")
        parts = {
            name.lower(): _block(text) if name in ("Bad", "Good", "Tricky") else " ".join(text.split())
            for name, text in zip(rest[::2], rest[1::2], strict=True)
        }
        return cls(summary.strip(), textwrap.dedent(why).strip(), **parts)


def _block(text: str) -> str:
    return textwrap.dedent(text.strip("\n")).rstrip()


@dataclass(frozen=True)
class Rule:
    """One rule: a function that yields hits, and what is said about it."""

    id: str
    name: str
    family: str
    severity: Severity
    function: RuleFunction
    default: bool = True
    needs: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def page(self) -> Page:
        return Page.of(self.function.__doc__ or "")

    @cached_property
    def wants(self) -> tuple[str, ...]:
        """Names of the function's parameters; the first says what it is asked about."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def scope(self) -> Scope:
        """What it is asked about: `task` when it names one, else its first parameter."""
        return "task" if "task" in self.wants else self.wants[0]  # type: ignore[return-value]

    def hits(self, available: dict[str, Any]) -> Iterator[Hit]:
        """Ask the rule; `available` has a value for each parameter that rules may name."""
        return self.function(*(available[name] for name in self.wants))


def rule(
    rule_id: str, name: str, *, family: str, severity: Severity, default: bool = True
) -> Callable[[RuleFunction], RuleFunction]:
    """Make a rule of a generator function.

    Its parameters say what it is asked about: `file` (each source file), `dag`, `task` (each of those, loaded by
    Airflow or else read off the source), `project` (all files together) or `outcome` (how a file's loading ended).
    Next to that it may ask for `settings`, a rule about a DAG or a task for its `file`, and one about the project for
    the `environment`. Its docstring is its page.

    Args:
        rule_id: three capitals and three digits; never given twice.
        name: two or three words, for people (`masked-failure`).
        family: heading in the documentation.
        severity: `error` only when a finding is certain to be a defect.
        default: whether it is on when nothing is selected.
    """

    def mark(function: RuleFunction) -> RuleFunction:
        made = Rule(rule_id, name, family, severity, function, default)
        if made.scope not in _SCOPES:
            raise TypeError(f"{rule_id}: first parameter {made.scope!r} is none of {', '.join(_SCOPES)}")
        function.harness_rule = made  # type: ignore[attr-defined]
        return function

    return mark


class Registry:
    """All rules that a check knows, by id."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules: dict[str, Rule] = {}
        for one in rules:
            if one.id in self.rules:
                raise ConfigError(f"two rules have the id {one.id}", hint="give a team's own rules a prefix of its own")
            self.rules[one.id] = one

    @classmethod
    def load(cls, extra: Sequence[Rule] = ()) -> Registry:
        """Return the built-in rules, with those of plugins after them."""
        found = [r for name in BUILT_IN for r in rules_of(import_module(f"harness.checks.rules.{name}"))]
        return cls([*sorted(found, key=lambda r: r.id), *extra])

    def get(self, rule_id: str) -> Rule:
        """Return a rule by its id or name; raises ConfigError with the ids there are."""
        for one in self.rules.values():
            if rule_id.upper() == one.id or rule_id == one.name:
                return one
        from difflib import get_close_matches

        near = get_close_matches(rule_id, [*self.rules, *(r.name for r in self.rules.values())], 1)
        hint = f"did you mean {near[0]!r}?" if near else f"they run from {min(self.rules)} to {max(self.rules)}"
        raise ConfigError(f"there is no rule {rule_id!r}", hint=hint)

    def of(self, scope: Scope) -> list[Rule]:
        """Return the rules that are asked about one kind of thing."""
        return [one for one in self.rules.values() if one.scope == scope]


def registry_of(plugins: Sequence[str] = (), project: Path | None = None) -> Registry:
    """Return all rules: the built-in ones, and those of installed plugins and of the project's own modules.

    Args:
        plugins: the project's modules.
        project: root that they are imported from.

    Raises:
        ConfigError: a plugin cannot be imported, or a rule's id is taken.
    """
    from harness.hookspecs import plugin_manager

    modules = [module for found in plugin_manager(plugins, project).hook.harness_rules() for module in found]
    return Registry.load([one for module in modules for one in rules_of(module)])


def rules_of(module: Any) -> list[Rule]:
    """Return the rules that a module defines."""
    marked = (getattr(value, "harness_rule", None) for value in vars(module).values())
    return [one for one in marked if one is not None and one.function.__module__ == module.__name__]
