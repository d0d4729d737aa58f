"""The table of demand: units of each store beside the weather of its city; a day is replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from jobs.common.tables import Table, replace_rows
from jobs.umbrella.contract import Sale, Weather

TABLE = Table(
    "umbrella_demand",
    ("store_id", "units", "revenue", "temp_c", "rain_mm"),
    """CREATE TABLE IF NOT EXISTS public.umbrella_demand (
    day date, store_id integer, units integer NOT NULL, revenue numeric(12, 2) NOT NULL,
    temp_c numeric(5, 2) NOT NULL, rain_mm numeric(5, 1) NOT NULL, PRIMARY KEY (day, store_id))""",
)


def join(sales: Iterable[Sale], weather: Iterable[Weather]) -> list[tuple[object, ...]]:
    """Put the weather of its city beside each sale; sales of a city without weather cannot teach anything."""
    by_city = {one.city: one for one in weather}
    return [
        (sale.store_id, sale.units, sale.revenue, by_city[sale.city].temp_c, by_city[sale.city].rain_mm)
        for sale in sales
        if sale.city in by_city
    ]


def replace_day(dsn: str, day: date, rows: list[tuple[object, ...]]) -> int:
    """Put the rows in the place of the day's."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        return replace_rows(connection, TABLE, {"day": day}, rows)
