"""How reports spell numbers."""

from __future__ import annotations


def count(number: int, unit: str) -> str:
    """Return `1 row`, `2 rows`, `12,000 rows`."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
