from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from harness.expect.rows import compare
from harness.expect.words import in_words


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        pytest.param(Decimal("12.1"), Decimal("12.10"), id="decimals of other length"),
        pytest.param("12.1", Decimal("12.10"), id="a decimal as text"),
        pytest.param(12, Decimal("12.00"), id="a whole number"),
        pytest.param("2026-01-02", date(2026, 1, 2), id="a date as text"),
        pytest.param("2026-01-02T01:00:00+01:00", datetime(2026, 1, 2, tzinfo=UTC), id="an instant in another zone"),
        pytest.param(
            datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 1, 2, tzinfo=UTC),
            id="two names of one instant",
        ),
        pytest.param("00" * 15 + "07", UUID(int=7), id="a uuid as text"),
        pytest.param("c3a9", "é".encode(), id="bytes as hex"),
        pytest.param({"b": 1, "a": [1]}, {"a": [1], "b": 1}, id="json in another order"),
        pytest.param(float("nan"), float("nan"), id="no number"),
    ],
)
def test_equal_values_are_equal_however_they_are_written(expected, found):
    assert not compare([{"x": expected}], [{"x": found}])


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        pytest.param(1, True, id="a number is no truth value"),
        pytest.param(None, "", id="nothing is no empty text"),
        pytest.param("1", 1, id="a text is no number"),
        pytest.param("12.11", Decimal("12.10"), id="another decimal"),
        pytest.param("soon", date(2026, 1, 2), id="a text that is no date"),
        pytest.param([1, 2], [2, 1], id="a list in another order"),
    ],
)
def test_different_values_are_different(expected, found):
    assert compare([{"x": expected}], [{"x": found}])


def test_the_order_of_rows_does_not_matter_and_their_number_does():
    a, b = {"x": 1}, {"x": 2}

    assert not compare([a, b, a], [a, a, b])
    diff = compare([a, b], [a, a, b, b])
    assert (list(diff.unexpected), list(diff.missing)) == ([a, b], [])


def test_with_a_key_a_row_with_other_values_is_told_cell_by_cell():
    diff = compare(
        [{"id": 1, "n": 1, "t": "a"}, {"id": 2, "n": 2, "t": "b"}, {"id": 3, "n": 3, "t": "c"}],
        [{"id": 1, "n": 1, "t": "a"}, {"id": 2, "n": 5, "t": "b"}, {"id": 4, "n": 4, "t": "d"}],
        key=["id"],
    )

    assert in_words("orders", diff) == "\n".join(
        [
            "orders: 1 missing, 1 unexpected, 1 changed; found 3 rows, expected 3",
            "  missing     id=3, n=3, t='c'",
            "  unexpected  id=4, n=4, t='d'",
            "  changed     id=2: n is 5, expected 2",
        ]
    )


def test_rows_that_share_a_key_are_told_even_where_all_of_them_were_expected():
    rows = [{"id": 1, "n": 1}, {"id": 1, "n": 2}]

    diff = compare(rows, rows, key=["id"])

    assert "repeated    id=1" in in_words("orders", diff)


def test_a_long_difference_is_cut_and_counted():
    words = in_words("orders", compare([{"id": n} for n in range(12)], []), show=2)

    assert words.splitlines() == [
        "orders: 12 missing; found 0 rows, expected 12",
        "  missing     id=0",
        "  missing     id=1",
        "  missing     ... and 10 more",
    ]
