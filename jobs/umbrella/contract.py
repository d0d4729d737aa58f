"""What the parts of the umbrella pipeline agree on: cleaned rows, and where each file of a day is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

#: the first day of the new ERP; days before it stay with the old one, however late they are run
ERP_SWITCH_DATE = date(2026, 1, 2)


@dataclass(frozen=True)
class Sale:
    """What a store sold on a day; the same from either ERP. `revenue` in euros."""

    store_id: int
    city: str
    units: int
    revenue: Decimal


@dataclass(frozen=True)
class Weather:
    """A city's weather of a day, in degrees Celsius and millimetres."""

    city: str
    temp_c: Decimal
    rain_mm: Decimal


def key(kind: str, day: date) -> str:
    """Return the key of a day's object; `kind` is such as `raw/weather` or `models`."""
    return f"umbrella/{kind}/{day}"


def uses_old_erp(day: date) -> bool:
    """Tell whether a day's sales are in the old ERP: the switch date itself is the new one's."""
    return day < ERP_SWITCH_DATE
