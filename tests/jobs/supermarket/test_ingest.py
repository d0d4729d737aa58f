from __future__ import annotations

import psycopg
import pytest

from jobs.supermarket.contract import MARKER, PROMOTIONS, REJECTS, raw_prefix
from jobs.supermarket.ingest import process

pytestmark = pytest.mark.needs("postgres", "s3")

DAY = "2026-01-01"
HEADER = "product_id,product_name,promo_type,price_before,price_promo,valid_from,valid_to\n"
TEA, MILK = "p1,tea,percent,2.00,1.00,2026-01-01,2026-01-07\n", "p2,milk,percent,1.00,,2026-01-01,2026-01-07\n"


@pytest.fixture
def processed(s3, postgres):
    """Archives one file for supermarket 1, and processes it."""

    lake = s3.physical("lake")

    def run(*lines):
        for name, text in (("data.csv", HEADER + "".join(lines)), (MARKER, "")):
            s3.client.put_object(Bucket=lake, Key=raw_prefix(1, DAY) + name, Body=text.encode())
        return process(s3.client, postgres.dsn("warehouse"), lake=lake, supermarket=1, day=DAY)

    return run


def test_a_row_of_no_use_is_kept_apart_with_its_place(processed, postgres):
    assert processed(TEA, MILK) == {"promotions": 1, "rejects": 1}

    warehouse = postgres.client_for("warehouse")
    assert warehouse.execute("SELECT product_id FROM promotions").fetchall() == [("p1",)]
    assert warehouse.execute("SELECT file, line, reason FROM promotion_rejects").fetchall() == [
        ("data.csv", 3, "no_price")
    ]


def test_promotions_wait_for_the_rejects_that_belong_to_them(processed, postgres):
    warehouse = postgres.client_for("warehouse")
    for table in (PROMOTIONS, REJECTS):
        warehouse.execute(table.create)
    warehouse.execute("ALTER TABLE promotion_rejects ADD CHECK (reason <> 'no_price')")

    with pytest.raises(psycopg.errors.CheckViolation):
        processed(TEA, MILK)
    assert warehouse.execute("SELECT count(*) FROM promotions").fetchone() == (0,)
