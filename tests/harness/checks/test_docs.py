from __future__ import annotations

from pathlib import Path

from harness.checks.docs import TARGET, page
from harness.checks.registry import Registry

ROOT = Path(__file__).parents[3]


def test_the_page_of_the_rules_is_what_the_rules_say() -> None:
    written = (ROOT / TARGET).read_text(encoding="utf-8")
    assert written == page(Registry.load()), "run: python -m harness.checks.docs"


def test_every_rule_has_a_section_that_the_table_leads_to() -> None:
    text = page(Registry.load())
    for rule in Registry.load().rules.values():
        assert f"### {rule.id} {rule.name}\n" in text
        assert f"(#{rule.id.lower()}-{rule.name})" in text
