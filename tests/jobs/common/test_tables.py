from __future__ import annotations

from datetime import date

import psycopg
import pytest

from jobs.common.tables import Table, replace_rows

pytestmark = pytest.mark.needs("postgres")

PRICES = Table(
    "prices",
    ("product", "eur"),
    "CREATE TABLE IF NOT EXISTS public.prices (shop integer, day date, product text, eur integer CHECK (eur > 0))",
)
DAY_1, DAY_2 = date(2026, 1, 1), date(2026, 1, 2)


@pytest.fixture
def replace(postgres):
    """Replaces a day of shop 1, and returns what the whole table holds then."""

    def run(day, *rows):
        with psycopg.connect(postgres.dsn("warehouse")) as connection:
            assert replace_rows(connection, PRICES, {"shop": 1, "day": day}, rows) == len(rows)

    return run


@pytest.fixture
def held(postgres):
    return lambda: set(postgres.client_for("warehouse").execute("SELECT day, product, eur FROM prices").fetchall())


def test_a_part_is_replaced_and_the_others_stay(replace, held):
    replace(DAY_1, ("tea", 1), ("milk", 2))
    replace(DAY_2, ("tea", 3))
    replace(DAY_1, ("milk", 4))

    assert held() == {(DAY_1, "milk", 4), (DAY_2, "tea", 3)}


def test_a_part_without_rows_is_emptied(replace, held):
    replace(DAY_1, ("tea", 1))
    replace(DAY_1)

    assert held() == set()


def test_a_row_that_cannot_be_written_leaves_the_old_part(replace, held):
    replace(DAY_1, ("tea", 1))

    with pytest.raises(psycopg.errors.CheckViolation):
        replace(DAY_1, ("milk", 2), ("tea", 0))
    assert held() == {(DAY_1, "tea", 1)}
