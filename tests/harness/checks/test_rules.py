from __future__ import annotations

import pytest

from harness.checks.registry import Registry, Rule
from tests.harness.checks.disguises import DISGUISES, Disguise, disguised, spread
from tests.harness.checks.examples import as_file, judge, judge_text, marked

REGISTRY = Registry.load()
STATIC = [rule for rule in REGISTRY.rules.values() if rule.scope != "outcome"]
ids = [f"{rule.id}-{rule.name}" for rule in STATIC]


@pytest.mark.parametrize("rule", STATIC, ids=ids)
def test_the_bad_example_of_a_rule_is_found_at_its_line(rule: Rule) -> None:
    findings, text = judge(rule, rule.page.bad, REGISTRY)
    assert sorted({finding.line for finding in findings}) == marked(text)
    assert marked(text)


@pytest.mark.parametrize("rule", STATIC, ids=ids)
def test_the_good_example_of_a_rule_is_not_found(rule: Rule) -> None:
    findings, text = judge(rule, rule.page.good, REGISTRY)
    assert findings == []
    assert not marked(text)


@pytest.mark.parametrize("rule", STATIC, ids=ids)
def test_the_disguised_example_of_a_rule_is_found_at_its_line(rule: Rule) -> None:
    findings, text = judge(rule, rule.page.tricky, REGISTRY)
    assert sorted({finding.line for finding in findings}) == marked(text)
    assert marked(text)


@pytest.mark.parametrize("rule", REGISTRY.rules.values(), ids=lambda rule: rule.id)
def test_each_rule_has_a_page(rule: Rule) -> None:
    page = rule.page
    assert page.summary.endswith(".")
    assert len(page.summary) <= 100
    assert page.source
    if rule.scope == "outcome":
        assert page.limits
    else:
        assert page.bad
        assert page.good
        assert page.tricky


UNSEEN = {("DAG018", spread): "`**{", ("DAG206", spread): "expand(**{...})"}
"""Disguises that a rule does not see through, and the words with which its page says so."""


@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda disguise: disguise.__name__)
@pytest.mark.parametrize("rule", [rule for rule in STATIC if rule.family != "suppression"], ids=lambda rule: rule.id)
def test_a_rule_says_the_same_of_code_in_disguise(rule: Rule, disguise: Disguise) -> None:
    for code in (rule.page.bad, rule.page.good):
        plain, other = (found(rule, code, disguised(as_file(rule, code), how)) for how in (None, disguise))
        if (rule.id, disguise) in UNSEEN:
            assert UNSEEN[rule.id, disguise] in rule.page.limits
        else:
            assert other == plain
        assert bool(plain) == (code == rule.page.bad)


def found(rule: Rule, code: str, text: str) -> list[int]:
    """Return the lines at which a rule finds something in a text that is made of an example."""
    findings, _ = judge_text(rule, code, text, REGISTRY)
    return sorted({finding.line for finding in findings})
