"""Fingerprints of a Delta table's content, read by delta-rs: which files hold the rows makes no difference."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections import Counter
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from harness.errors import ServiceError
from harness.models.snapshot import Dataset, Kind

if TYPE_CHECKING:
    from harness.services.s3 import S3

#: how many rows are kept in full, for words in a diff
SAMPLE = 1000


def read_delta(store: S3, name: str, uri: str, leave_out: Collection[str] = ()) -> Dataset:
    """Return the table's latest version as one dataset.

    Args:
        store: where it is.
        name: its logical name.
        uri: its physical address, `s3://...`.
        leave_out: columns that are no part of the fingerprint.

    Raises:
        ServiceError: it has a `_delta_log` and cannot be read as a table.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        table = DeltaTable(uri, storage_options=store.storage_options())
        return read_rows(table.to_pyarrow_dataset(), store.name, name, "delta", leave_out)
    except (DeltaError, OSError, ValueError) as error:
        raise ServiceError(
            f"the Delta table {name} cannot be read: {error}",
            role=store.name,
            engine=store.endpoint.engine,
            hint="its log names files that are not there, or it uses a feature that delta-rs lacks",
        ) from error


def read_rows(dataset: Any, service: str, name: str, kind: Kind, leave_out: Collection[str] = ()) -> Dataset:
    """Return the rows of an Arrow dataset as fingerprints.

    Args:
        dataset: a `pyarrow.dataset.Dataset`.
        service: whose it is.
        name: its logical name.
        kind: what it is.
        leave_out: columns that are no part of the fingerprint.
    """
    digests: Counter[str] = Counter()
    sample: dict[str, dict[str, Any]] = {}
    for batch in dataset.to_batches():
        found = row_digests(batch, leave_out)
        digests.update(found)
        wanted = SAMPLE - len(sample)
        if wanted > 0:
            sample |= dict(zip(found[:wanted], map(_row, batch.slice(0, wanted).to_pylist()), strict=True))
    return Dataset(
        service=service,
        name=name,
        kind=kind,
        rows=digests.total(),
        digests=dict(digests),
        sample=sample,
        columns={field.name: str(field.type) for field in dataset.schema},
    )


def row_digests(batch: Any, leave_out: Collection[str] = ()) -> list[str]:
    """Return one digest per row of an Arrow record batch.

    It depends on the columns' names and values alone: not on their order, and not on how the values are stored (time
    unit, dictionary, large or short strings).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = sorted(name for name in batch.schema.names if name not in leave_out)
    parts = []
    for name in names:
        text = _as_text(batch.column(name))
        # with its length in front no value can be mistaken for two: netstrings
        length = pc.cast(pc.binary_length(text), pa.string())
        parts.append(pc.fill_null(pc.binary_join_element_wise(length, text, ":"), "-"))
    head = json.dumps(names).encode()
    if not parts:
        return [hashlib.sha256(head).hexdigest()[:32]] * batch.num_rows
    rows = pc.binary_join_element_wise(*parts, "\n")
    return [hashlib.sha256(head + row.as_buffer()).hexdigest()[:32] for row in rows]


def _as_text(column: Any) -> Any:
    """Render a column as strings, by Arrow where it has an exact text and by JSON for nested and binary values."""
    import pyarrow as pa
    import pyarrow.types as kinds

    kind = column.type
    if kinds.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if kinds.is_timestamp(kind):
        # Delta knows microseconds, with a time zone (UTC) or without
        column = column.cast(pa.timestamp("us", "UTC" if kind.tz else None))
        return column.cast(pa.string())
    if kinds.is_nested(kind) or kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_binary_view(kind):
        texts = [None if value is None else json.dumps(_plain(value), sort_keys=True) for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    return column.cast(pa.string())


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Return the value in JSON's types; what JSON lacks becomes its exact text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, timedelta)) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value
