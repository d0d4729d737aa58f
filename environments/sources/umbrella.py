"""The upstreams of an umbrella company: a weather service and two ERPs, as pure functions of seed, size and date.

The old ERP exports CSV with decimal commas, for days before the switch; the new one answers pages of JSON under other
names, from that day on. What either tells about a day has the same content. Known shares of it are defects:

====================  ========================================================  =======================
what                  which stores `i` of n, or cities `c` of 12                how many
====================  ========================================================  =======================
row sent twice        i % 20 == 7                                               n/20
units missing         i % 20 == 13                                              n/20
temperature missing   c == 11: its thermometer is broken, its stores have none  n/12 of the stores
closed                all, on 2026-01-06: no sales                              -
outage                the new ERP's last page, on 2026-01-08: status 503        -
outage                the weather service, on 2026-01-09: status 503            -
====================  ========================================================  =======================

A request says by the header `X-Volume` which company it means: all of them are served by the same application.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

#: stores of the company
VOLUMES = {"dev": 60, "test": 600, "acc": 6_000}
CITIES = 12
SWITCH = date(2026, 1, 2)
CLOSED, NO_SALES, NO_WEATHER = date(2026, 1, 6), date(2026, 1, 8), date(2026, 1, 9)
PAGE = 50


@dataclass(frozen=True)
class Sold:
    """What a store sold on a day, as its till knows it; `units` is None where the till did not say."""

    store: int
    city: str
    units: int | None
    cents: int


@dataclass(frozen=True)
class UmbrellaSource:
    """One company. Args: seed: another seed is another company; stores: how many it has."""

    seed: int = 42
    stores: int = VOLUMES["dev"]

    def weather(self, day: date) -> list[dict[str, Any]]:
        """Return what the weather service says: degrees Fahrenheit and millimetres, in tenths."""
        return [
            {
                "city": city_name(c),
                "temp_f": None if c == CITIES - 1 else (300 + self._draw(day, "temp", c) % 600) / 10,
                "rain_mm": self._draw(day, "rain", c) % 400 / 10,
            }
            for c in range(CITIES)
        ]

    def sales(self, day: date) -> Iterator[Sold]:
        """Yield the rows in the order of the tills; rain sells umbrellas, and so does cold."""
        if day == CLOSED:
            return
        for i in range(self.stores):
            city = i % CITIES
            wet, warm = self._draw(day, "rain", city) % 400, self._draw(day, "temp", city) % 600
            units = 20 + wet // 8 + (600 - warm) // 50 + self._draw(day, "noise", i) % 7
            sold = Sold(i, city_name(city), None if i % 20 == 13 else units, units * 1295)
            yield sold
            if i % 20 == 7:
                yield sold

    def _draw(self, *what: object) -> int:
        return int.from_bytes(
            hashlib.blake2b(repr((self.seed, *map(str, what))).encode(), digest_size=8).digest(), "big"
        )


def city_name(number: int) -> str:
    """Return the name of a city."""
    return f"city-{number:02d}"


def old_export(sold: Iterator[Sold]) -> str:
    """Return the CSV file of the old ERP."""
    lines = [
        f"{row.store};{row.city};{'' if row.units is None else row.units};{row.cents // 100},{row.cents % 100:02d}"
        for row in sold
    ]
    return "\n".join(["filiale;ort;stueck;umsatz", *lines, ""])


def new_item(row: Sold) -> dict[str, Any]:
    """Return a row as the new ERP tells it."""
    return {"storeCode": f"S-{row.store:05d}", "town": row.city, "quantity": row.units, "amountCents": row.cents}


def _asked(request: Request) -> tuple[UmbrellaSource, date]:
    try:
        day = date.fromisoformat(request.query_params["date"])
        stores = VOLUMES[request.headers.get("x-volume", "dev")]
    except (KeyError, ValueError) as error:
        raise HTTPException(400, f"needs ?date=YYYY-MM-DD, and a known X-Volume: {error}") from error
    return UmbrellaSource(stores=stores), day


async def weather(request: Request) -> JSONResponse:
    """Answer `/weather?date=`."""
    source, day = _asked(request)
    if day == NO_WEATHER:
        raise HTTPException(503, "no weather today")
    return JSONResponse(source.weather(day))


async def old_sales(request: Request) -> PlainTextResponse:
    """Answer `/erp/old/sales.csv?date=`; what came after the switch is not there."""
    source, day = _asked(request)
    if day >= SWITCH:
        raise HTTPException(410, f"this ERP was switched off on {SWITCH}")
    return PlainTextResponse(old_export(source.sales(day)), media_type="text/csv")


async def new_sales(request: Request) -> JSONResponse:
    """Answer `/erp/new/sales?date=&page=`; what came before the switch was not moved."""
    source, day = _asked(request)
    if day < SWITCH:
        raise HTTPException(404, f"this ERP knows nothing before {SWITCH}")
    page = int(request.query_params.get("page", "1"))
    rows = list(source.sales(day))
    items = [new_item(row) for row in rows[(page - 1) * PAGE : page * PAGE]]
    following = page + 1 if page * PAGE < len(rows) else None
    if day == NO_SALES and following is None:
        raise HTTPException(503, "the export is still running")
    return JSONResponse({"items": items, "next": following})


app = Starlette(
    routes=[
        Route("/weather", weather),
        Route("/erp/old/sales.csv", old_sales),
        Route("/erp/new/sales", new_sales),
    ]
)
