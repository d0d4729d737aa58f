"""What pipelines do with a broker and with Spark, in small: whatever classes it loads go into the archives."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines.base import Running
from harness.engines.embedded.spark_host import Client
from harness.errors import StartTimeout

TOPIC = "rehearsal"

#: seconds until a service of the rehearsal must answer
WITHIN = 60.0


def kafka(servers: str) -> None:
    """Create a topic, produce plainly and in a transaction, and consume in a group."""
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    _wait_for_metadata(AdminClient({"bootstrap.servers": servers, "log_level": 2}))
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_topics([NewTopic(TOPIC, 2, 1)]).values():
        future.result(WITHIN)
    plain = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "log_level": 2})
    for number in range(100):
        plain.produce(TOPIC, key=str(number), value=f'{{"id": {number}}}')
    plain.flush(WITHIN)
    atomic = Producer({"bootstrap.servers": servers, "transactional.id": "rehearsal", "log_level": 2})
    atomic.init_transactions(WITHIN)
    atomic.begin_transaction()
    atomic.produce(TOPIC, value='{"id": 100}')
    atomic.commit_transaction(WITHIN)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "rehearsal", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    consumer.consume(101, timeout=10.0)
    consumer.commit(asynchronous=False)
    consumer.close()
    admin.list_consumer_groups().result(WITHIN)


def spark(conf: Mapping[str, str], folder: Path, servers: str, s3: str, postgres: Running) -> None:
    """Write, merge and read Delta on S3, stream from Kafka by foreachBatch, and go to Postgres and back.

    Args:
        conf: settings of the driver, whose gateway is in this process's environment.
        folder: for local files.
        servers: bootstrap servers of a broker on which `kafka` was run.
        s3: URL of an object store that takes any key.
        postgres: a server that was started.
    """
    from pyspark.sql import SparkSession

    store = {
        "spark.hadoop.fs.s3a.endpoint": s3,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": "rehearsal",
        "spark.hadoop.fs.s3a.secret.key": "rehearsal",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
    }
    _make_bucket(s3, "rehearsal")
    session = SparkSession.builder.config(map={**conf, **store}).getOrCreate()
    try:
        session.range(1).write.format("delta").save(str(folder / "local"))
        session.read.format("delta").load(str(folder / "local")).count()
        _delta(session, "s3a://rehearsal/table")
        _stream(session, servers, "s3a://rehearsal/stream", "s3a://rehearsal/checkpoint")
        _jdbc(session, postgres)
        _queries(session, folder)
        _attach(session)
    finally:
        session.stop()


def _delta(session: Any, path: str) -> None:
    from delta.tables import DeltaTable
    from pyspark.sql.functions import col, current_timestamp, lit

    rows = session.range(100).select(
        col("id"), (col("id") * 2).cast("decimal(12,2)").alias("amount"), current_timestamp().alias("at")
    )
    rows.write.format("delta").mode("overwrite").save(path)
    rows.withColumn("country", lit("NL")).write.format("delta").mode("append").option("mergeSchema", "true").save(path)
    table = DeltaTable.forPath(session, path)
    merge = table.alias("t").merge(rows.alias("s"), "t.id = s.id and t.country is null")
    merge.whenMatchedUpdate(set={"amount": "s.amount"}).whenNotMatchedInsert(values={"id": "s.id"}).execute()
    table.delete("id < 3")
    rows.write.format("delta").mode("overwrite").option("replaceWhere", "id >= 0").save(path)
    session.read.format("delta").option("versionAsOf", 0).load(path).groupBy("id").sum("amount").collect()
    table.history(3).collect()


def _stream(session: Any, servers: str, path: str, checkpoint: str) -> None:
    from pyspark.sql.functions import col, from_json

    source = session.readStream.format("kafka").option("kafka.bootstrap.servers", servers)
    stream = source.option("subscribe", TOPIC).option("startingOffsets", "earliest").load()
    parsed = stream.select(from_json(col("value").cast("string"), "id long").alias("body"), "partition", "offset")

    def save(batch: Any, number: int) -> None:
        batch.select("body.id", "partition", "offset").write.format("delta").mode("append").save(path)

    for _ in range(2):
        query = parsed.writeStream.foreachBatch(save).option("checkpointLocation", checkpoint)
        query.trigger(availableNow=True).start().awaitTermination()


def _jdbc(session: Any, postgres: Running) -> None:
    at = postgres.endpoint
    _wait_for_postgres(at)
    options = {
        "url": f"jdbc:postgresql://{at.address}/postgres",
        "user": at.user or "",
        "password": at.password or "",
        "driver": "org.postgresql.Driver",
        "dbtable": "rehearsal",
    }
    session.range(10).write.format("jdbc").options(**options).mode("overwrite").save()
    session.read.format("jdbc").options(**options).load().count()


def _queries(session: Any, folder: Path) -> None:
    """Touch what most jobs touch: SQL, windows, joins, UDFs, and the common file formats."""
    from pyspark.sql.functions import udf

    session.range(50).createOrReplaceTempView("numbers")
    session.sql(
        "select a.id % 5 as bucket, count(distinct a.id) as many, sum(b.id) as total, "
        "row_number() over (partition by a.id % 5 order by sum(b.id)) as place "
        "from numbers a join numbers b on a.id = b.id + 1 where date_trunc('day', current_timestamp()) is not null "
        "group by a.id order by 1, 2"
    ).collect()
    session.createDataFrame([(1, "a"), (2, "b")], "id int, name string").select(udf(len)("name")).collect()
    for form in ("parquet", "json", "csv"):
        session.table("numbers").write.format(form).mode("overwrite").save(str(folder / form))
        session.read.format(form).load(str(folder / form)).count()
    session.sparkContext.parallelize([1, 2, 3]).map(lambda number: number + 1).sum()


def _attach(session: Any) -> None:
    jvm = session.sparkContext._jvm
    Client(jvm, session._jsparkSession, "default").close()


def _make_bucket(endpoint: str, name: str) -> None:
    import boto3

    boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="rehearsal",
        aws_secret_access_key="rehearsal",  # noqa: S106 - moto takes any
    ).create_bucket(Bucket=name)


def _wait_for_metadata(admin: Any) -> None:
    from confluent_kafka import KafkaException

    until = time.monotonic() + WITHIN
    while True:
        try:
            admin.list_topics(timeout=1.0)
        except KafkaException as error:
            if time.monotonic() > until:
                raise StartTimeout(f"the broker did not answer: {error}", role="kafka") from error
        else:
            return


def _wait_for_postgres(at: Any) -> None:
    import psycopg

    until = time.monotonic() + WITHIN
    while True:
        try:
            psycopg.connect(
                host=at.host, port=at.port, user=at.user, password=at.password, dbname="postgres", connect_timeout=5
            ).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > until:
                raise StartTimeout(f"Postgres did not answer: {error}", role="postgres") from error
            time.sleep(0.05)
        else:
            return
