"""Puts in place what the pipelines made from `data_sources.json` read: each day's messages, once, in their topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from environments.sources.finance import FEEDS

if TYPE_CHECKING:
    from harness.environment.spec import DataSpec


def seed(source: str, topic: str, services: Mapping[str, Any], dates: Iterable[date], data: DataSpec) -> None:
    """Send the messages of each date, unless the topic has messages of that date; the same content at each call.

    Args:
        source: a name of the configuration.
        topic: that it reads.
        services: by name; `kafka` is used.
        dates: days of the feed.
        data: the volume.
    """
    clients = services["kafka"].client
    held = {message.key.decode().split("-")[1] for message in clients.read(topic)}
    for day in dates:
        if f"{day:%Y%m%d}" not in held:
            clients.produce(topic, FEEDS[source].messages(day, data.volume))


source_a = partial(seed, "financial_transactions_source_a", "raw_financial_transactions_a")
source_b = partial(seed, "financial_transactions_source_b", "raw_financial_transactions_b")
source_c = partial(seed, "insurance_claims_source_c", "raw_insurance_claims_c")
