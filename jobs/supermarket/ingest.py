"""From a delivery to the results database: keep the files as they came, then make rows of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from jobs.common.tables import replace_rows
from jobs.supermarket.contract import MARKER, PROMOTIONS, REJECTS, delivery_prefix, raw_prefix


@dataclass
class Batch:
    """What one delivery holds: rows by product, of which the last one counts, and places of rows that are no use."""

    promotions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    rejects: list[tuple[str, int, str]] = field(default_factory=list)


def copy_to_raw(s3: Any, *, landing: str, lake: str, supermarket: int, day: str) -> int:
    """Make the archive of a delivery equal to it, byte for byte; what was delivered no longer leaves the archive too.

    The marker comes last: where it is, the files that it speaks of are there.

    Returns:
        How many files it has.
    """
    source, target = delivery_prefix(supermarket, day), raw_prefix(supermarket, day)
    names = {key.removeprefix(source) for key in keys(s3, landing, source)}
    for name in sorted(names, key=lambda name: (name == MARKER, name)):
        s3.copy_object(CopySource={"Bucket": landing, "Key": source + name}, Bucket=lake, Key=target + name)
    for key in keys(s3, lake, target):
        if key.removeprefix(target) not in names:
            s3.delete_object(Bucket=lake, Key=key)
    return len(names)


def process(s3: Any, dsn: str, *, lake: str, supermarket: int, day: str) -> dict[str, int]:
    """Replace a supermarket's rows of a day by what its archive holds: promotions and rejects at once, or neither."""
    import psycopg

    prefix = raw_prefix(supermarket, day)
    files = {
        key.removeprefix(prefix): s3.get_object(Bucket=lake, Key=key)["Body"].read() for key in keys(s3, lake, prefix)
    }
    batch = read(files)
    part = {"supermarket_id": supermarket, "day": day}
    with psycopg.connect(dsn) as connection:
        return {
            "promotions": replace_rows(connection, PROMOTIONS, part, batch.promotions.values()),
            "rejects": replace_rows(connection, REJECTS, part, batch.rejects),
        }


def read(files: dict[str, bytes]) -> Batch:
    """Read the data files in the order of their names."""
    batch = Batch()
    for name in sorted(files.keys() - {MARKER}):
        for line, row in enumerate(csv.DictReader(files[name].decode().splitlines()), start=2):
            if reason := complaint(row):
                batch.rejects.append((name, line, reason))
            else:
                batch.promotions[row["product_id"]] = tuple(row[column] for column in PROMOTIONS.columns)
    return batch


def complaint(row: dict[str, str]) -> str | None:
    """Return why a row is no promotion, or None."""
    try:
        before, promo = Decimal(row["price_before"]), Decimal(row["price_promo"])
    except InvalidOperation:
        return "no_price"
    return None if promo < before else "not_cheaper"


def keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """Yield the keys below a prefix, however many there are."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            yield entry["Key"]
