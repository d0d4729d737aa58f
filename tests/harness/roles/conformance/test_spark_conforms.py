from __future__ import annotations

from typing import Any

from harness.environment.spec import ConnectionSpec


def rows(frame: Any) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in frame.collect())


def test_the_client_computes(spark: Any) -> None:
    assert spark.client.range(1000).selectExpr("sum(id)").first()[0] == 499_500


def test_python_functions_run_in_the_executors(spark: Any) -> None:
    from pyspark.sql.functions import udf

    session = spark.client
    double = udf(lambda number: number * 2, "long")
    assert rows(session.range(3).select(double("id"))) == [(0,), (2,), (4,)]


def test_the_connection_names_the_master_that_is_used(spark: Any) -> None:
    connection = spark.connection(ConnectionSpec(service="spark"))
    assert connection.conn_type == "spark"
    assert connection.host == spark.client.sparkContext.master


def test_tables_of_one_namespace_are_not_seen_in_another(opened: Any) -> None:
    mine, other = opened("spark"), opened("spark")
    mine.client.range(3).write.format("delta").saveAsTable("numbers")
    assert mine.client.table("numbers").count() == 3
    assert not other.client.catalog.tableExists("numbers")


def test_a_stopped_session_can_be_had_again(spark: Any) -> None:
    spark.client.stop()
    assert spark.client.range(3).count() == 3


def test_delta_merges_and_travels_in_time_on_s3(spark: Any, s3: Any) -> None:
    from delta.tables import DeltaTable

    session, path = spark.client, f"s3a://{s3.physical('lake')}/orders"
    session.createDataFrame([(1, "old"), (2, "kept")], "id int, state string").write.format("delta").save(path)
    changes = session.createDataFrame([(1, "new"), (3, "added")], "id int, state string")
    merge = DeltaTable.forPath(session, path).alias("t").merge(changes.alias("c"), "t.id = c.id")
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    assert rows(session.read.format("delta").load(path)) == [(1, "new"), (2, "kept"), (3, "added")]
    before = session.read.format("delta").option("versionAsOf", 0).load(path)
    assert rows(before) == [(1, "old"), (2, "kept")]
    assert [(dataset.name, dataset.kind, dataset.rows) for dataset in s3.snapshot()] == [("lake/orders", "delta", 3)]


def test_spark_reads_what_kafka_holds(spark: Any, kafka: Any) -> None:
    kafka.client.produce("orders", ((str(number), f"value {number}") for number in range(100)))
    frame = (
        spark.client.read.format("kafka")
        .option("kafka.bootstrap.servers", kafka.endpoint.address)
        .option("subscribe", kafka.physical("orders"))
        .load()
    )
    assert rows(frame.selectExpr("cast(value as string)")) == sorted((f"value {n}",) for n in range(100))


def test_a_stream_from_kafka_into_delta_goes_on_where_it_stopped(spark: Any, kafka: Any, s3: Any) -> None:
    session, lake = spark.client, f"s3a://{s3.physical('lake')}"
    batches = []

    def load() -> None:
        def write(frame: Any, number: int) -> None:
            batches.append(number)
            frame.selectExpr("cast(value as string)").write.format("delta").mode("append").save(f"{lake}/events")

        stream = (
            session.readStream.format("kafka")
            .option("kafka.bootstrap.servers", kafka.endpoint.address)
            .option("subscribe", kafka.physical("events"))
            .option("startingOffsets", "earliest")
            .load()
        )
        query = stream.writeStream.foreachBatch(write).option("checkpointLocation", f"{lake}/_checkpoint")
        assert query.trigger(availableNow=True).start().awaitTermination(120)

    kafka.client.produce("events", [("k", "one")])
    load()
    kafka.client.produce("events", [("k", "two")])
    load()
    assert batches == [0, 1]
    assert rows(session.read.format("delta").load(f"{lake}/events")) == [("one",), ("two",)]


def test_tables_go_to_postgres_and_come_back_by_jdbc(spark: Any, postgres: Any) -> None:
    options = {
        "url": postgres.jdbc_url("warehouse"),
        "dbtable": "public.totals",
        "user": postgres.endpoint.user,
        "password": postgres.endpoint.password,
        "driver": "org.postgresql.Driver",
    }
    written = spark.client.createDataFrame([("nl", 1), ("be", 2)], "country string, orders int")
    written.write.format("jdbc").options(**options).save()
    found = postgres.client.execute("SELECT country, orders FROM totals ORDER BY country").fetchall()
    assert found == [("be", 2), ("nl", 1)]
    postgres.client.execute("UPDATE totals SET orders = orders * 10")
    assert rows(spark.client.read.format("jdbc").options(**options).load()) == [("be", 20), ("nl", 10)]
