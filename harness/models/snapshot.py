"""What a store holds, as content fingerprints that can be compared."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from harness.models.base import Frozen

Kind = Literal["table", "object", "delta", "topic", "partition", "call"]


class Dataset(Frozen):
    """One named thing in a store: a Postgres table, an S3 object, a Delta table, a Kafka topic, calls of an address.

    Args:
        service: the service's name in the environment.
        name: logical and qualified: `warehouse.public.orders`, `lake/gold/revenue`, `orders`, `partner POST /payouts`.
        kind: what it is.
        rows: how many rows, messages, or bytes (object) it holds.
        digests: fingerprint of each row to how often it occurs: a multiset, so that order does not matter. For an
            object it is the digest of the bytes, once.
        sample: fingerprint to the row's values, for words in a diff; as many as the reader chose to keep.
        columns: column names in their order, with their types; empty where there are none.
    """

    service: str
    name: str
    kind: Kind
    rows: int
    digests: dict[str, int] = Field(default_factory=dict)
    sample: dict[str, dict[str, Any]] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)


class Difference(Frozen):
    """How one dataset differs between two snapshots."""

    service: str
    name: str
    kind: Kind
    change: Literal["added", "removed", "changed"]
    rows_before: int
    rows_after: int
    added: int
    removed: int
    first_added: dict[str, Any] | None = None
    first_removed: dict[str, Any] | None = None
    detail: str = ""
