"""Transactions of two banks and claims of an insurer, as keyed JSON messages: integer arithmetic on the row's number.

Row i of a day's n has known defects. Every 50th (i % 50 == 49) repeats the row before it; of the others, every 40th
(i % 40 == 39) lacks its account or policy; of the others, every 101st (i % 101 == 100) has a negative amount.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

TRANSACTIONS = {"dev": 200, "test": 5_000, "acc": 100_000}
CLAIMS = {"dev": 120, "test": 2_000, "acc": 40_000}


@dataclass(frozen=True)
class Feed:
    """What one source sends.

    Args:
        source: stands at the front of its ids.
        volumes: rows of a day, by stage.
    """

    source: str
    volumes: dict[str, int]

    @property
    def is_insurer(self) -> bool:
        return self.volumes is CLAIMS

    def messages(self, day: date, volume: str) -> list[tuple[str, bytes]]:
        """Return the day's (key, payload) in the order of emission."""
        n = self.volumes[volume]
        rows = [self._row(i - 1 if i % 50 == 49 else i, n, day) for i in range(n)]
        return [(next(iter(row.values())), json.dumps(row, separators=(",", ":")).encode()) for row in rows]

    def _row(self, i: int, n: int, day: date) -> dict[str, str]:
        at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=i * 86_400 // n)
        key = f"{self.source}-{day:%Y%m%d}-{i:07d}"
        subject = None if i % 40 == 39 else f"{(i * 13) % max(20, n // 25):05d}"
        sign = "-" if subject is not None and i % 101 == 100 else ""
        if self.is_insurer:
            cents = (i * 53) % 49_999 + 1_000
            row = {"claim_id": key, "policy_id": subject and f"POL{subject}"}
            row |= {"claim_type": ("auto", "home", "health", "life")[i % 4]}
            row |= {"claim_amount": sign + _money(cents), "status": ("open", "approved", "denied")[i % 3]}
        else:
            cents = (i * 37) % 9_973 + 100
            row = {"transaction_id": key, "account_id": subject and f"ACC{subject}", "amount": sign + _money(cents)}
            row |= {"currency": ("EUR", "USD", "GBP")[i % 3]}
            row |= {"txn_type": ("debit", "credit", "transfer", "fee")[i % 4]}
        return row | {"event_ts": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


#: by the name that the pipelines' configuration gives them
FEEDS = {
    "financial_transactions_source_a": Feed("a", TRANSACTIONS),
    "financial_transactions_source_b": Feed("b", TRANSACTIONS),
    "insurance_claims_source_c": Feed("c", CLAIMS),
}


def _money(cents: int) -> str:
    """Return the amount as text, so that nobody reads it as a float."""
    return f"{cents // 100}.{cents % 100:02d}"
