"""One DAG for each source in `data_sources.json`: run_SOURCE_streaming_consumer >> run_SOURCE_batch_transformation.

The consumer appends all that is new in the source's topic to its raw table, whatever the run's date; the transformation
replaces the interval's day in the curated table. The configuration is read beside this file when it is parsed: one that
is missing or wrong is an import error, and not a folder without DAGs. A source's tables and topic are its own, so that
a source that is broken harms no other.
"""

from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Variable, dag, task

from jobs.common.intervals import day_of
from jobs.dynamic.datasets import DATASETS
from jobs.dynamic.sources import Source, read_sources

CONFIGURATION = Path(__file__).with_name("data_sources.json")
DEFAULTS = {
    "owner": "ingestion",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=10),
}


def raw_table(source: Source) -> str:
    """Return where the source's raw table is kept."""
    return f"s3a://{Variable.get('raw_data_bucket')}/{source.raw_delta_path}"


def make_dag(source: Source) -> None:
    """Make the DAG of one source."""

    @task(task_id=f"run_{source.source_name}_streaming_consumer", pool="spark")
    def consume() -> int:
        """Append what is new in the topic."""
        from jobs.common.connections import kafka_config
        from jobs.common.spark import spark_session
        from jobs.dynamic import streaming_consumer

        topic, config = Variable.get(source.kafka_topic), kafka_config("events")
        with spark_session(f"{source.source_name}.consumer") as spark:
            dataset = DATASETS[source.dataset]
            return streaming_consumer.consume(spark, dataset, topic=topic, config=config, raw=raw_table(source))

    @task(task_id=f"run_{source.source_name}_batch_transformation", pool="spark")
    def transform(data_interval_start: pendulum.DateTime | None = None) -> None:
        """Replace the interval's day in the curated table."""
        from jobs.common.spark import spark_session
        from jobs.dynamic import batch_transformations

        day = day_of(data_interval_start)
        target = f"s3a://{Variable.get('curated_data_bucket')}/{source.curated_delta_path}"
        with spark_session(f"{source.source_name}.transformation") as spark:
            dataset = DATASETS[source.dataset]
            batch_transformations.transform(spark, dataset, source=raw_table(source), target=target, day=day)

    @dag(
        f"dynamic_etl_pipeline_{source.source_name}",
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,  # one checkpoint has one owner
        default_args=DEFAULTS,
        tags=["dynamic", "spark", source.source_name],
        doc_md=__doc__,
    )
    def pipeline() -> None:
        consume() >> transform()

    pipeline()


for entry in read_sources(CONFIGURATION):
    make_dag(entry)
