from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.gate.contracts import Contract, compared, load
from harness.gate.holds import Rows, broken
from harness.gate.rows import of_messages

TEXT = """
apiVersion: v3.1.0
kind: DataContract
id: revenue
version: 1.2.0
status: active
servers: [{server: postgres, type: postgres}]
schema:
  - name: revenue
    physicalName: warehouse.public.revenue
    properties:
      - {name: day, logicalType: date, primaryKey: true}
      - {name: country, logicalType: string, primaryKey: true, enum: [{value: NL}, {value: DE}]}
      - {name: orders, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1, maximum: 99}}
      - {name: eur, logicalType: number}
      - {name: note, logicalType: string, logicalTypeOptions: {maxLength: 5, pattern: "^[a-z]+$"}}
    quality:
      - {metric: rowCount, mustBeBetween: [1, 3]}
slaProperties: [{property: latency, value: 1, unit: d, element: revenue.day}]
customProperties: [{property: consumers, value: [billing, report]}]
"""
GOOD: Mapping[str, list[Any]] = {
    "day": [date(2026, 1, 1), date(2026, 1, 2)],
    "country": ["NL", "NL"],
    "orders": [1, 2],
    "eur": [Decimal("1.50"), None],
    "note": ["a", None],
}
TYPES = {"day": "date", "country": "string", "orders": "integer", "eur": "number", "note": "string"}


def read(folder: Path, text: str = TEXT) -> Contract:
    (folder / "revenue.yaml").write_text(text)
    (found,) = load(folder)
    return found


def verdict(folder: Path, values: dict[str, list[Any]], types: dict[str, str] | None = None, day: int = 2) -> list[str]:
    columns = {**GOOD, **values}
    rows = Rows({**TYPES, **(types or {})}, columns, len(columns["day"]))
    return broken(read(folder), rows, datetime(2026, 1, day, tzinfo=UTC))


def test_data_that_keeps_its_promises_breaks_nothing(tmp_path: Path) -> None:
    assert verdict(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("values", "types", "expected"),
    [
        ({"orders": ["1", "2"]}, {"orders": "string"}, "`orders` is string, and promised is integer"),
        ({"orders": [1, None]}, {}, "1 of 2 rows have no `orders`"),
        ({"orders": [1, 100]}, {}, "`orders` breaks maximum 99 in 1 rows: '100'"),
        ({"orders": [0, 1]}, {}, "`orders` breaks minimum 1 in 1 rows: '0'"),
        ({"country": ["NL", "FR"]}, {}, "`country` is not among the promised values in 1 rows: 'FR'"),
        ({"country": ["NL", None]}, {}, "1 of 2 rows have no `country`"),
        ({"day": [date(2026, 1, 2)] * 2}, {}, "1 rows repeat the key of `day, country`"),
        ({"note": ["a", "abcdef"]}, {}, "`note` breaks maxLength 5 in 1 rows: 'abcdef'"),
        ({"note": ["a", "A"]}, {}, "`note` breaks pattern ^[a-z]+$ in 1 rows: 'A'"),
        ({name: [] for name in GOOD}, {}, "rowCount is 0, and mustBeBetween [1, 3]"),
    ],
)
def test_each_broken_promise_is_told(
    tmp_path: Path, values: dict[str, list[Any]], types: dict[str, str], expected: str
) -> None:
    assert f"revenue: {expected}" in verdict(tmp_path, values, types)


def test_a_renamed_column_is_told_with_what_there_is(tmp_path: Path) -> None:
    types = {("total" if name == "eur" else name): kind for name, kind in TYPES.items()}
    rows = Rows(types, {name: list(GOOD.get(name, [1, 1])) for name in types}, 2)
    assert broken(read(tmp_path), rows) == ["revenue: no column `eur`; it has day, country, orders, total, note"]


def test_a_number_may_be_whole(tmp_path: Path) -> None:
    assert verdict(tmp_path, {"eur": [1, 2]}, {"eur": "integer"}) == []


def test_data_that_is_older_than_promised_is_told(tmp_path: Path) -> None:
    assert verdict(tmp_path, {}, day=3) == []
    assert verdict(tmp_path, {}, day=4) == [
        "revenue: the newest `day` is 2026-01-02 00:00, and promised is 2026-01-03 00:00 or later"
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b'{"day": "2026-01-01", "country": "NL", "orders": 1, "eur": 1.5, "note": null}', []),
        (b'{"day": "2026-01-01", "country": "NL", "orders": 1, "eur": 1, "note": "a", "more": 1}', []),
        (
            b'{"day": "soon", "country": "NL", "orders": 1, "eur": 1.5, "note": "a"}',
            ["revenue: `day` is string, and promised is date"],
        ),
        (
            b'{"day": "2026-01-01", "country": "NL", "orders": true, "eur": 1.5, "note": "a"}',
            ["revenue: `orders` is boolean, and promised is integer"],
        ),
        (
            b'{"day": "2026-01-01", "country": "NL", "orders": 1, "note": "a"}',
            ["revenue: no column `eur`; it has day, country, orders, note"],
        ),
    ],
)
def test_messages_are_held_against_the_same_words(tmp_path: Path, message: bytes, expected: list[str]) -> None:
    assert broken(read(tmp_path), of_messages([message, None], "revenue")) == expected


BREAKING = [
    ("      - {name: eur, logicalType: number}\n", "", "the column `eur` is gone"),
    ("eur, logicalType: number", "eur, logicalType: string", "`eur` was number and is string"),
    ("orders, logicalType: integer, required: true", "orders, logicalType: integer", "`orders` may be empty now"),
    ("{value: DE}", "{value: DE}, {value: FR}", "`country` has values that were not promised: FR"),
    ("physicalName: warehouse.public.", "physicalName: warehouse.", "moved from postgres:warehouse.public.revenue"),
    ("date, primaryKey: true", "date, required: true", "`day` is no longer part of what identifies a row"),
]


@pytest.mark.parametrize(("before", "after", "expected"), BREAKING)
def test_a_breaking_change_is_told_with_its_consumers(tmp_path: Path, before: str, after: str, expected: str) -> None:
    then = read(tmp_path).shape
    (found,) = compared([then], [read(tmp_path, TEXT.replace(before, after)).shape])[0]
    assert found.startswith(f"revenue: {expected}")
    assert found.endswith("; it is read by billing, report")


def test_a_contract_that_is_gone_breaks_its_consumers(tmp_path: Path) -> None:
    assert compared([read(tmp_path).shape], [])[0] == [
        "revenue: the contract is gone; it is read by billing, report",
    ]


def test_what_is_added_is_noted(tmp_path: Path) -> None:
    then = read(tmp_path).shape
    more = TEXT.replace("    quality:", "      - {name: vat, logicalType: number}\n    quality:")
    assert compared([then], [read(tmp_path, more).shape]) == ([], ["revenue: new column `vat`"])


def test_a_breaking_change_that_a_major_version_announces_is_noted(tmp_path: Path) -> None:
    then = read(tmp_path).shape
    text = TEXT.replace("      - {name: eur, logicalType: number}\n", "").replace("1.2.0", "2.0.0")
    broken_, notes = compared([then], [read(tmp_path, text).shape])
    assert (broken_, len(notes)) == ([], 1)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("kind: DataContract", "kind: Other", "is no data contract"),
        ("metric: rowCount", "metric: freshness", "the rule 'freshness' is not checked"),
        ("maxLength: 5", "format: email", "note: format is not checked"),
        ("logicalType: number", "logicalType: money", "'money' is no type"),
        ("unit: d", "unit: fortnights", "latency needs"),
        ("servers: [{server: postgres, type: postgres}]", "", "promises nothing"),
        ("schema:", "schema: {", "is no data contract"),
    ],
)
def test_a_promise_that_nobody_checks_is_refused(tmp_path: Path, before: str, after: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        read(tmp_path, TEXT.replace(before, after))
    assert "revenue.yaml" in str(caught.value)


def test_the_contracts_of_the_suite_are_read() -> None:
    folder = Path(__file__).parents[3] / "environments" / "contracts"
    assert {one.name for one in load(folder)} >= {"daily_revenue", "gold_daily_revenue"}
