"""From a raw message to a typed order in euros, or to the reason why it is none. Pure: frames in, frames out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

from jobs.medallion.contract import CURRENCIES, FIELDS, NO_RATE, ORDER, VERSION

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# a time without a zone would be read in the session's, and Spark rounds a third decimal away without a word
_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"
_AMOUNT = r"^\d{1,10}(\.\d{1,2})?$"


def parsed(bronze: DataFrame, rates: Mapping[str, Decimal]) -> DataFrame:
    """Add to each bronze row its typed fields, its value in euros, and `reason`: null for a sound order.

    `event_date` is the UTC date, computed from the instant, so that no session's time zone can move it. Euros are
    rounded half up, order by order: sums of them are exact, in whatever order they are added.

    Args:
        bronze: columns as in the bronze table.
        rates: usable rates; an agreed currency without one gives the reason `no_rate`.
    """
    from pyspark.sql import functions as F

    schema = ", ".join(f"{name} STRING" for name in (*FIELDS, "_corrupt"))
    options = {"columnNameOfCorruptRecord": "_corrupt"}
    text = bronze.withColumn("m", F.from_json(F.col("raw").cast("string"), schema, options))
    typed = text.withColumns(
        {
            **{name: F.col(f"m.{name}") for name in FIELDS},
            "amount": F.when(F.col("m.amount").rlike(_AMOUNT), F.col("m.amount").try_cast("decimal(12,2)")),
            "event_time": F.when(F.col("m.event_time").rlike(_TIME), F.col("m.event_time").try_cast("timestamp")),
            "rate": _rate(rates),
        }
    )
    return typed.withColumns(
        {
            "reason": _reason(),
            "event_date": F.date_from_unix_date(F.expr("cast(unix_micros(event_time) div 86400000000 as int)")),
            "amount_eur": F.round(F.col("amount") * F.col("rate"), 2).cast("decimal(22,2)"),
        }
    ).drop("m", "rate")


def orders(rows: DataFrame) -> DataFrame:
    """Return the sound ones of `parsed` rows, with silver's columns."""
    return rows.where("reason IS NULL").select(*ORDER)


def rejects(rows: DataFrame) -> DataFrame:
    """Return the others, with quarantine's columns: enough to find the message, and to try it again."""
    names = ("kafka_partition", "kafka_offset", "key", "raw", "reason", "currency")
    return rows.where("reason IS NOT NULL").select(*names).dropDuplicates(["kafka_partition", "kafka_offset"])


def latest(rows: DataFrame) -> DataFrame:
    """Keep of each order its latest version. Not dropDuplicates: that keeps whichever row comes first.

    Coordinates are unique, so the greatest version is one row, and the same one on every try.
    """
    from pyspark.sql import functions as F

    rest = [name for name in ORDER if name not in VERSION]
    newest = rows.groupBy("order_id").agg(F.max(F.struct(*VERSION, *rest)).alias("row"))
    return newest.select(*(f"row.{name}" for name in ORDER))


def _rate(rates: Mapping[str, Decimal]) -> Column:
    from pyspark.sql import functions as F

    def choose(otherwise: Column, rate: tuple[str, Decimal]) -> Column:
        return F.when(F.col("m.currency") == rate[0], F.lit(rate[1]).cast("decimal(18,8)")).otherwise(otherwise)

    return reduce(choose, sorted(rates.items()), F.lit(None).cast("decimal(18,8)"))


def _reason() -> Column:
    """Return the first thing that is wrong with a message, from the whole to its parts."""
    from pyspark.sql import functions as F

    faults = [
        (F.col("m").isNull() | F.col("m._corrupt").isNotNull(), "malformed_json"),
        *((F.coalesce(F.trim(f"m.{name}"), F.lit("")) == "", f"missing_{name}") for name in FIELDS),
        (F.col("event_time").isNull(), "invalid_event_time"),
        (F.col("amount").isNull(), "invalid_amount"),
        (~F.col("currency").isin(*CURRENCIES), "unknown_currency"),
        (F.col("rate").isNull(), NO_RATE),
    ]
    return F.coalesce(*(F.when(fault, F.lit(reason)) for fault, reason in faults))
