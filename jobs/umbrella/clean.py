"""Makes the same rows of what the weather service and either ERP sent: no repeated rows, none without a figure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict
from decimal import ROUND_HALF_UP, Decimal

from jobs.umbrella.contract import Sale, Weather


def clean_weather(raw: bytes) -> list[Weather]:
    """Turn Fahrenheit into Celsius, rounded half up to hundredths; leave out cities without a temperature."""
    return [
        Weather(said["city"], _celsius(said["temp_f"]), said["rain_mm"])
        for said in json.loads(raw, parse_float=Decimal)
        if said["temp_f"] is not None
    ]


def clean_sales_old(raw: bytes) -> list[Sale]:
    """Read the old ERP's CSV; its money has decimal commas."""
    return _distinct(
        Sale(int(row["filiale"]), row["ort"], int(row["stueck"]), Decimal(row["umsatz"].replace(",", ".")))
        for row in csv.DictReader(raw.decode().splitlines(), delimiter=";")
        if row["stueck"]
    )


def clean_sales_new(raw: bytes) -> list[Sale]:
    """Read the new ERP's items; its money is in cents."""
    return _distinct(
        Sale(
            int(item["storeCode"].removeprefix("S-")),
            item["town"],
            item["quantity"],
            Decimal(item["amountCents"]) / 100,
        )
        for item in json.loads(raw)
        if item["quantity"] is not None
    )


def to_json(rows: Iterable[Sale | Weather]) -> bytes:
    """Return rows as JSON lines; decimals are text, so that nobody reads them as floats."""
    return b"".join(json.dumps(asdict(row), default=str).encode() + b"\n" for row in rows)


def sales_of(content: bytes) -> list[Sale]:
    """Read what `to_json` made of sales."""
    rows = map(json.loads, content.splitlines())
    return [Sale(**row | {"revenue": Decimal(row["revenue"])}) for row in rows]


def weather_of(content: bytes) -> list[Weather]:
    """Read what `to_json` made of weather."""
    rows = map(json.loads, content.splitlines())
    return [Weather(row["city"], Decimal(row["temp_c"]), Decimal(row["rain_mm"])) for row in rows]


def _distinct(sales: Iterable[Sale]) -> list[Sale]:
    return list(dict.fromkeys(sales))


def _celsius(fahrenheit: Decimal) -> Decimal:
    return ((Decimal(fahrenheit) - 32) * 5 / 9).quantize(Decimal("0.01"), ROUND_HALF_UP)
