"""Puts in place what `ingest_supermarket_data` waits for: the deliveries, each in a folder of its day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from environments.sources.promotions import SUPERMARKETS, VOLUMES, PromotionSource
from jobs.supermarket.contract import delivery_prefix

if TYPE_CHECKING:
    from harness.environment.spec import DataSpec


def seed(services: Mapping[str, Any], dates: Iterable[date], data: DataSpec) -> None:
    """Deliver everything for each date; the same content at each call.

    Args:
        services: by name; `s3` is used.
        dates: logical dates; a run is about the day on which its window opens.
        data: volume and seed.
    """
    source = PromotionSource(data.seed, VOLUMES[data.volume])
    for day in dates:
        for supermarket in SUPERMARKETS:
            deliver(services["s3"], source, supermarket, day)


def deliver(s3: Any, source: PromotionSource, supermarket: int, day: date, *, without: Collection[str] = ()) -> None:
    """Drop a supermarket's files, the marker last; `without` names those that do not come, such as the marker."""
    for name, content in source.delivery(supermarket, day).items():
        if name not in without:
            at = delivery_prefix(supermarket, f"{day:%Y-%m-%d}") + name
            s3.client.put_object(Bucket=s3.physical("landing"), Key=at, Body=content)
