"""Fingerprints of the tables in a Spark catalogue that lie in its own warehouse, by their content."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness.errors import ServiceError
from harness.models.snapshot import Dataset
from harness.services._delta import read_rows

if TYPE_CHECKING:
    from harness.services.spark import Spark


def read_catalog(
    spark: Spark, tables: Collection[Mapping[str, str]], volatile: Mapping[str, Collection[str]]
) -> list[Dataset]:
    """Return one dataset for each table, in the order of their names.

    A table that lies in an object store is that store's: its bucket's snapshot has it.

    Args:
        spark: whose tables they are.
        tables: `database`, `table`, `provider` and `location` of each, as the driver tells them.
        volatile: `database.table` -> columns that are no part of the fingerprint.

    Raises:
        ServiceError: a table's files cannot be read.
    """
    found = []
    for table in tables:
        if urlsplit(table["location"]).scheme not in ("", "file"):
            continue
        name = f"{spark.slice.logical('database', table['database'])}.{table['table']}"
        try:
            content = _content(spark, table)
            found.append(read_rows(content, spark.name, name, "table", volatile.get(name, ())))
        except (OSError, ValueError) as error:
            raise ServiceError(f"the table {name} cannot be read: {error}", role=spark.name) from error
    return sorted(found, key=lambda dataset: dataset.name)


def _content(spark: Spark, table: Mapping[str, str]) -> Any:
    import pyarrow as pa
    import pyarrow.dataset as ds

    folder = Path(unquote(urlsplit(table["location"]).path))
    if table["provider"] == "delta":
        from deltalake import DeltaTable

        return DeltaTable(str(folder)).to_pyarrow_dataset()
    if table["provider"] == "parquet":
        return ds.dataset(folder, format="parquet", partitioning="hive")
    # what a CSV or a JSON file means is for Spark to say
    copy = Path(spark.export(table["database"], table["table"]))
    try:
        return ds.InMemoryDataset(ds.dataset(copy, format="parquet").to_table())
    except pa.ArrowInvalid as error:
        raise ValueError(str(error)) from error
    finally:
        shutil.rmtree(copy, ignore_errors=True)
