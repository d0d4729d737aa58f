"""What the curated table of a source must hold for a day, from the bytes sent; it shares no code with the jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal

#: day's curated rows and their sum, by kind of source and volume: the same on every day
GOLDEN = {
    ("transactions", "dev"): (191, Decimal("7186.96")),
    ("transactions", "test"): (4_752, Decimal("238473.36")),
    ("claims", "dev"): (114, Decimal("4667.15")),
    ("claims", "test"): (1_901, Decimal("470442.87")),
}


def curated(messages: Iterable[tuple[str, bytes]]) -> dict[str, tuple[str, Decimal]]:
    """Return id to (account or policy, amount): one row for each id, with a subject and a positive amount."""
    rows = {}
    for key, payload in messages:
        row = json.loads(payload)
        subject = row.get("account_id") or row.get("policy_id")
        amount = Decimal(row.get("amount") or row["claim_amount"])
        if subject and amount > 0:
            rows[key] = subject, amount
    return rows
