"""What a day's promotions of a supermarket are worth, made anew from its rows however often it is asked."""

from __future__ import annotations

from jobs.common.tables import make_table, replace_rows
from jobs.supermarket.contract import METRICS, PROMOTIONS

_SUM_UP = """SELECT count(*), coalesce(sum(price_before - price_promo), 0),
    round(avg((price_before - price_promo) / price_before), 4)
FROM public.promotions WHERE supermarket_id = %s AND day = %s"""


def create_metrics(dsn: str, *, supermarket: int, day: str) -> dict[str, str]:
    """Replace the metrics of a supermarket's day, and return them; a day without promotions saves nothing."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        make_table(connection, PROMOTIONS.create)
        found = connection.execute(_SUM_UP, (supermarket, day)).fetchall()
        replace_rows(connection, METRICS, {"supermarket_id": supermarket, "day": day}, found)
    return dict(zip(METRICS.columns, map(str, found[0]), strict=True))
