"""Puts in place what `create_metrics` sums up: a supermarket's promotions, as `ingest_supermarket_data` saves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg

from environments.sources.promotions import VOLUMES, PromotionSource
from jobs.common.tables import make_table, replace_rows
from jobs.supermarket.contract import PROMOTIONS
from jobs.supermarket.ingest import read

if TYPE_CHECKING:
    from harness.environment.spec import DataSpec

#: whose promotions; the environment's `conf` names the same
SUPERMARKET = 1


def seed(services: Mapping[str, Any], dates: Iterable[date], data: DataSpec) -> None:
    """Save the promotions of each date; the same rows at each call.

    Args:
        services: by name; `postgres` is used.
        dates: days on which supermarkets deliver; without any the table is there, and empty.
        data: volume and seed.
    """
    source = PromotionSource(data.seed, VOLUMES[data.volume])
    with psycopg.connect(services["postgres"].dsn("warehouse")) as connection:
        make_table(connection, PROMOTIONS.create)
        for day in dates:
            rows = read(source.delivery(SUPERMARKET, day)).promotions.values()
            replace_rows(connection, PROMOTIONS, {"supermarket_id": SUPERMARKET, "day": day}, rows)
