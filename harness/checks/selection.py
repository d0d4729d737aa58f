"""Which rules the words of a selection mean: ids, beginnings of ids, or names; a word that means none is an error."""

from __future__ import annotations

from harness.checks.air import CODES
from harness.checks.config import Settings
from harness.checks.registry import Registry


def resolved(settings: Settings, registry: Registry) -> Settings:
    """Return the settings with names of rules replaced by their ids.

    Raises:
        ConfigError: no rule answers to a word: a check that asks nothing would pass everything.
    """
    names = {rule.name: rule.id for rule in registry.rules.values()}
    names |= {name: code for code, (name, _) in CODES.items()}
    ids = (*registry.rules, *CODES)

    def known(word: str) -> str:
        if word in names:
            return names[word]
        if not any(one.startswith(word) for one in ids):
            registry.get(word)
        return word

    return settings.model_copy(
        update={
            "select": tuple(known(word) for word in settings.select),
            "ignore": {known(word): reason for word, reason in settings.ignore.items()},
            "per_path": {
                pattern: {known(word): reason for word, reason in table.items()}
                for pattern, table in settings.per_path.items()
            },
        }
    )
