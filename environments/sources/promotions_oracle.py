"""What the promotions pipeline must make of a delivery, from its bytes; it shares no code with the jobs."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from environments.sources.promotions import MARKER, PromotionSource


@dataclass(frozen=True)
class Expected:
    """The outcome of one delivery.

    Args:
        promotions: product to (price before, price of the promotion), in euros.
        rejected: reason to number of rows.
        metrics: promotions, euros saved on one of each, mean discount as a share with four digits.
    """

    promotions: dict[str, tuple[Decimal, Decimal]]
    rejected: dict[str, int]
    metrics: tuple[int, Decimal, Decimal]


def expected(source: PromotionSource, supermarket: int, day: date) -> Expected:
    """Return the outcome of a supermarket's complete delivery."""
    promotions: dict[str, tuple[Decimal, Decimal]] = {}
    rejected: Counter[str] = Counter()
    for name, content in source.delivery(supermarket, day).items():
        if name == MARKER:
            continue
        for row in csv.DictReader(content.decode().splitlines()):
            before, promo = row["price_before"], row["price_promo"]
            if not promo:
                rejected["no_price"] += 1
            elif Decimal(promo) >= Decimal(before):
                rejected["not_cheaper"] += 1
            else:
                promotions[row["product_id"]] = Decimal(before), Decimal(promo)
    saved = sum((before - promo for before, promo in promotions.values()), Decimal(0))
    shares = sum(((before - promo) / before for before, promo in promotions.values()), Decimal(0))
    mean = (shares / len(promotions)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return Expected(promotions, dict(rejected), (len(promotions), saved, mean))
