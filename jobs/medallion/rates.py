"""The currency table of the warehouse: which rates can be used, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from jobs.medallion.contract import CURRENCIES

#: a rate's last digit; a finer one would not move a cent of an ordinary order
QUANTUM = Decimal("0.00000001")
LIMIT = Decimal(10) ** 10


@dataclass(frozen=True)
class Rates:
    """Euros for one unit, for the shop's currencies.

    Args:
        usable: currency to rate; positive.
        problems: currency to what is wrong with its rate. Every currency of the shop is in one of the two.
    """

    usable: Mapping[str, Decimal]
    problems: Mapping[str, str]


def read_rates(dsn: str) -> Rates:
    """Read `public.currency_rates(currency, eur)`; a broken rate is a finding for the audit, not an error here."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        return judge(connection.execute("SELECT currency, eur FROM public.currency_rates").fetchall())


def judge(rows: Iterable[tuple[str, Decimal | None]]) -> Rates:
    """Sort the rates of the shop's currencies: one row each, a number above zero, and exactly 1 for the euro itself."""
    found: dict[str, list[Decimal | None]] = {currency: [] for currency in CURRENCIES}
    for currency, eur in rows:
        if currency in found:
            found[currency].append(eur)
    usable: dict[str, Decimal] = {}
    problems: dict[str, str] = {}
    for currency, values in found.items():
        rate = values[0] if len(values) == 1 else None
        if rate is not None and _is_sound(currency, rate):
            usable[currency] = rate.quantize(QUANTUM)
        else:
            problems[currency] = _problem(values)
    return Rates(usable, problems)


def _is_sound(currency: str, rate: Decimal) -> bool:
    return rate.is_finite() and QUANTUM <= rate < LIMIT and (currency != "EUR" or rate == 1)


def _problem(values: list[Decimal | None]) -> str:
    if len(values) != 1:
        return f"{len(values)} rates" if values else "no rate"
    return "rate NULL" if values[0] is None else f"rate {values[0].normalize():f}"
