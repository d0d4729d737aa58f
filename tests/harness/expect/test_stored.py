from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from harness.errors import ConfigError
from harness.expect.check import check
from harness.expect.stored import shelf_of, write

ROWS = [{"day": date(2026, 1, 2), "eur": Decimal("12.10"), "raw": b"\x00\xff"}, {"day": None, "eur": None, "raw": None}]


@pytest.fixture
def test_file(tmp_path):
    return tmp_path / "test_sales.py"


def stored(test_file, name="test_a_day[dev]"):
    return sorted((test_file.parent / "expected" / "test_sales" / name.replace("[", "_").rstrip("]")).iterdir())


def test_what_an_update_wrote_is_what_is_expected_afterwards(test_file):
    with shelf_of(test_file, "test_a_day[dev]", update=True):
        check("public.sales", None, ROWS)
    with shelf_of(test_file, "test_a_day[dev]", update=False):
        check("public.sales", None, list(reversed(ROWS)))
    with shelf_of(test_file, "test_a_day[dev]", update=False), pytest.raises(AssertionError, match="1 missing"):
        check("public.sales", None, ROWS[:1])

    (file,) = stored(test_file)
    assert file.name == "public.sales.json"
    assert json.loads(file.read_text())["rows"][0] == {"day": "2026-01-02", "eur": "12.10", "raw": "00ff"}


def test_a_missing_file_fails_with_the_way_to_write_it(test_file):
    with shelf_of(test_file, "test_a_day", update=False), pytest.raises(AssertionError, match="--update-expectations"):
        check("public.sales", None, ROWS)


def test_the_second_expectation_of_a_name_has_a_file_of_its_own(test_file):
    for update in (True, False):
        with shelf_of(test_file, "test_a_day", update=update):
            check("public.sales", None, ROWS[:1])
            check("public.sales", None, ROWS)

    assert [file.name for file in stored(test_file, "test_a_day")] == ["public.sales-2.json", "public.sales.json"]


def test_an_update_does_not_touch_what_a_test_says_itself(test_file):
    with shelf_of(test_file, "test_a_day", update=True), pytest.raises(AssertionError, match="1 unexpected"):
        check("public.sales", ROWS[:1], ROWS)

    assert not (test_file.parent / "expected").exists()


def test_an_update_replaces_the_whole_file_and_leaves_no_other(test_file):
    for rows in (ROWS, []):
        with shelf_of(test_file, "test_a_day", update=True):
            check("public.sales", None, rows, columns=("day", "eur", "raw"))

    (file,) = stored(test_file, "test_a_day")
    assert json.loads(file.read_text()) == {"expectation": "public.sales", "rows": []}


def test_the_file_is_the_same_whatever_the_order_of_the_rows(tmp_path):
    write(tmp_path / "a.json", "x", ROWS)
    write(tmp_path / "b.json", "x", reversed(ROWS))

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_broken_file_is_told_with_its_name(test_file):
    path = test_file.parent / "expected" / "test_sales" / "test_a_day" / "public.sales.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")

    with shelf_of(test_file, "test_a_day", update=False), pytest.raises(ConfigError, match=r"public\.sales\.json"):
        check("public.sales", None, ROWS)


def test_outside_a_test_rows_have_to_be_given(monkeypatch):
    import contextvars

    with pytest.raises(ConfigError, match="give the rows"):
        contextvars.Context().run(check, "public.sales", None, ROWS)


@pytest.mark.parametrize(
    ("expected", "options", "said"),
    [
        pytest.param([{"id": 1, "m": 1}], {}, "has no column m; it has id, n", id="a column that is not there"),
        pytest.param([{"id": 1}], {}, "nothing is expected of the column n", id="a column that was forgotten"),
        pytest.param([{"id": 1, "n": 1}], {"key": ["k"]}, "has no column k", id="a key that is not there"),
    ],
)
def test_a_mistake_in_the_expectation_is_no_difference(expected, options, said):
    with pytest.raises(ConfigError, match=said):
        check("t", expected, [{"id": 1, "n": 1}], **options)


def test_a_column_that_may_differ_is_left_out():
    check("t", [{"id": 1}], [{"id": 1, "loaded_at": "now"}], ignore=["loaded_at"])
