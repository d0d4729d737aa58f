"""What the parts of the promotions pipelines agree on: who delivers, where, and the tables of the results database."""

from __future__ import annotations

from jobs.common.tables import Table

SUPERMARKETS = (1, 2, 3, 4)
MARKER = "_SUCCESS"

PROMOTIONS = Table(
    "promotions",
    ("product_id", "product_name", "promo_type", "price_before", "price_promo", "valid_from", "valid_to"),
    """CREATE TABLE IF NOT EXISTS public.promotions (
    supermarket_id integer, day date, product_id text, product_name text NOT NULL, promo_type text NOT NULL,
    price_before numeric(10, 2) NOT NULL, price_promo numeric(10, 2) NOT NULL, valid_from date NOT NULL,
    valid_to date NOT NULL, PRIMARY KEY (supermarket_id, day, product_id))""",
)

REJECTS = Table(
    "promotion_rejects",
    ("file", "line", "reason"),
    """CREATE TABLE IF NOT EXISTS public.promotion_rejects (
    supermarket_id integer, day date, file text, line integer, reason text NOT NULL,
    PRIMARY KEY (supermarket_id, day, file, line))""",
)

METRICS = Table(
    "promotion_metrics",
    ("promotions", "saved", "mean_discount"),
    """CREATE TABLE IF NOT EXISTS public.promotion_metrics (
    supermarket_id integer, day date, promotions integer NOT NULL, saved numeric(14, 2) NOT NULL,
    mean_discount numeric(5, 4), PRIMARY KEY (supermarket_id, day))""",
)


def delivery_prefix(supermarket: int, day: str) -> str:
    """Return where a supermarket drops a day's files: a folder for each day, so that yesterday's are not today's."""
    return f"supermarket{supermarket}/{day}/"


def raw_prefix(supermarket: int, day: str) -> str:
    """Return where the files of a day are kept as they came."""
    return f"raw/supermarket{supermarket}/{day}/"
