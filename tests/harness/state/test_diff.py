from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from harness.environment.spec import DagSpec
from harness.models.snapshot import Dataset
from harness.state import Snapshot, describe, diff, in_words


def table(*rows: dict[str, Any], name: str = "warehouse.public.daily_revenue", **columns: str) -> Dataset:
    prints = [repr(sorted(row.items())) for row in rows]
    return Dataset(
        service="postgres",
        name=name,
        kind="table",
        rows=len(rows),
        digests=Counter(prints),
        sample=dict(zip(prints, rows, strict=True)),
        columns=columns,
    )


def s3_object(name: str, digest: str, size: int) -> Dataset:
    return Dataset(service="s3", name=name, kind="object", rows=size, digests={digest: 1})


def snap(*datasets: Dataset) -> Snapshot:
    return Snapshot(datasets=datasets)


NL = {"country": "NL", "revenue": 10}
DE = {"country": "DE", "revenue": 20}
DE_CORRECTED = {"country": "DE", "revenue": 25}


def test_equal_snapshots_have_no_difference_whatever_the_order_of_rows() -> None:
    assert diff(snap(table(NL, DE)), snap(table(DE, NL))) == []


def test_a_row_that_occurs_once_more_is_an_added_row() -> None:
    (found,) = diff(snap(table(NL, DE)), snap(table(NL, DE, DE)))
    assert (found.change, found.added, found.removed, found.first_added) == ("changed", 1, 0, DE)


def test_a_corrected_row_is_one_added_and_one_removed_in_words() -> None:
    (found,) = diff(snap(table(NL, DE)), snap(table(NL, DE_CORRECTED)))
    assert in_words(found) == (
        "warehouse.public.daily_revenue: 1 row added, 1 removed; first: {'country': 'DE', 'revenue': 25}"
    )


def test_a_table_that_vanished_is_gone_with_all_its_rows() -> None:
    (found,) = diff(snap(table(NL, DE)), snap())
    assert in_words(found).startswith("warehouse.public.daily_revenue: gone, 2 rows removed; first: ")


def test_a_new_empty_table_is_a_difference() -> None:
    (found,) = diff(snap(), snap(table()))
    assert in_words(found) == "warehouse.public.daily_revenue: new, empty"


def test_a_retyped_column_is_a_difference_even_when_the_rows_read_the_same() -> None:
    (found,) = diff(snap(table(NL, revenue="integer")), snap(table(NL, revenue="numeric")))
    assert in_words(found) == "warehouse.public.daily_revenue: columns retyped: revenue integer -> numeric"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([], [("lake/a.csv", "d1", 12)], "lake/a.csv: new, 12 bytes"),
        ([("lake/a.csv", "d1", 12)], [("lake/a.csv", "d2", 15)], "lake/a.csv: content changed, 12 -> 15 bytes"),
        ([("lake/a.csv", "d1", 12)], [], "lake/a.csv: gone, 12 bytes"),
    ],
    ids=["new", "changed", "gone"],
)
def test_an_object_is_told_by_its_bytes(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]], words: str
) -> None:
    found = diff(snap(*(s3_object(*one) for one in before)), snap(*(s3_object(*one) for one in after)))
    assert describe(found) == words


def test_nothing_changed_is_said_in_words() -> None:
    assert describe([]) == "nothing changed"


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ({}, ["lake/bronze/orders", "lake/gold/revenue", "warehouse.public.stg_x"]),
        ({"staging": {"s3": ["lake/bronze/"]}}, ["lake/gold/revenue", "warehouse.public.stg_x"]),
        ({"staging": {"postgres": ["stg_*"]}}, ["lake/bronze/orders", "lake/gold/revenue"]),
        ({"outputs": {"s3": ["lake/gold/"]}}, ["lake/gold/revenue"]),
        ({"outputs": {"s3": ["lake/gold/revenue"]}, "staging": {"s3": ["lake/gold/"]}}, []),
    ],
    ids=["all by default", "staging folder", "staging glob", "outputs", "staging wins"],
)
def test_outputs_are_what_is_declared_without_staging(declared: dict[str, Any], kept: list[str]) -> None:
    everything = snap(
        s3_object("lake/bronze/orders", "a", 1),
        s3_object("lake/gold/revenue", "b", 1),
        table(NL, name="warehouse.public.stg_x"),
    )
    assert [one.name for one in everything.only(DagSpec.model_validate(declared))] == kept
