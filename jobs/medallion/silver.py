"""Silver: the latest version of each order, typed and in euros; what cannot be one goes to quarantine with its reason.

Every step may be played again: quarantine takes coordinates that it does not hold, silver takes versions later than
its own. So the checkpoint may lag behind the tables, and no crash loses or doubles a record. There is no watermark: it
would drop the records of an earlier day that is run later.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jobs.common.spark import ensure_delta
from jobs.common.streams import run_available
from jobs.medallion.contract import NO_RATE, VERSION, Layout
from jobs.medallion.parse import latest, orders, parsed, rejects
from jobs.medallion.rates import Rates

if TYPE_CHECKING:
    from delta.tables import DeltaMergeBuilder
    from pyspark.sql import DataFrame, SparkSession

_SAME_PLACE = "t.kafka_partition = s.kafka_partition AND t.kafka_offset = s.kafka_offset"
_LATER = f"struct({', '.join(f's.{c}' for c in VERSION)}) > struct({', '.join(f't.{c}' for c in VERSION)})"


@dataclass(frozen=True)
class Silver:
    """What a run did.

    Args:
        inserted: orders that silver did not hold.
        updated: orders that got a later version.
        quarantined: records put aside.
        released: records that had waited for a rate and got it.
    """

    inserted: int = 0
    updated: int = 0
    quarantined: int = 0
    released: int = 0

    def __add__(self, other: Silver) -> Silver:
        theirs = asdict(other)
        return Silver(**{name: count + theirs[name] for name, count in asdict(self).items()})


def silver(spark: SparkSession, *, layout: Layout, rates: Rates, within: float = 540) -> Silver:
    """Bring silver and quarantine up to what bronze holds, and let orders go that waited for a rate.

    Args:
        rates: of this moment. An order in a currency that has none waits in quarantine until a later run finds one.
        within: seconds.
    """
    ensure_tables(spark, layout)
    done = [release(spark, layout=layout, rates=rates)]

    def take(batch: DataFrame, _: int) -> None:
        done.append(absorb(batch, layout=layout, rates=rates))

    fresh = spark.readStream.format("delta").load(layout.bronze).writeStream.foreachBatch(take)
    run_available(fresh, checkpoint=layout.checkpoint("silver"), within=within)
    return sum(done, Silver())


def ensure_tables(spark: SparkSession, layout: Layout) -> None:
    """Create silver and quarantine, if need be; silver with its change data feed, from which gold learns what moved."""
    rows = parsed(spark.read.format("delta").load(layout.bronze), {})
    ensure_delta(spark, layout.silver, orders(rows), by="event_date", cdf=True)
    ensure_delta(spark, layout.quarantine, rejects(rows))


def absorb(batch: DataFrame, *, layout: Layout, rates: Rates) -> Silver:
    """Merge bronze rows into quarantine and silver; idempotent, and indifferent to the order of calls."""
    rows = parsed(batch, rates.usable)
    aside = _merge(rejects(rows), layout.quarantine, _SAME_PLACE).whenNotMatchedInsertAll().execute().first()
    return upsert(orders(rows), layout=layout) + Silver(quarantined=aside["num_inserted_rows"])


def upsert(rows: DataFrame, *, layout: Layout) -> Silver:
    """Merge orders into silver, each only where it is later than the version there.

    The source has one row for each order: two that meet one target row fail, two of a new order both go in, unseen.
    """
    merge = _merge(latest(rows), layout.silver, "t.order_id = s.order_id")
    done = merge.whenMatchedUpdateAll(_LATER).whenNotMatchedInsertAll().execute().first()
    return Silver(inserted=done["num_inserted_rows"], updated=done["num_updated_rows"])


def release(spark: SparkSession, *, layout: Layout, rates: Rates) -> Silver:
    """Move the orders out of quarantine whose currency has got a rate.

    Into silver first: a crash in between leaves them in both, and the next run finds them still waiting.
    """
    from delta.tables import DeltaTable
    from pyspark.sql import functions as F

    is_ripe = (F.col("reason") == NO_RATE) & F.col("currency").isin(*rates.usable)
    table = DeltaTable.forPath(spark, layout.quarantine)
    ripe = table.toDF().where(is_ripe).select("kafka_partition", "kafka_offset", "key", "raw")
    released = ripe.count()
    if not released:
        return Silver()
    moved = upsert(orders(parsed(ripe, rates.usable)), layout=layout)
    table.delete(is_ripe)
    return moved + Silver(released=released)


def _merge(source: DataFrame, target: str, condition: str) -> DeltaMergeBuilder:
    from delta.tables import DeltaTable

    return DeltaTable.forPath(source.sparkSession, target).alias("t").merge(source.alias("s"), condition)
