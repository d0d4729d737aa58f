from __future__ import annotations

import pytest

from harness.checks.registry import Registry, Rule
from tests.harness.checks.examples import judge, marked

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
    if rule.scope != "outcome":
        assert page.bad
        assert page.good
        assert page.tricky
