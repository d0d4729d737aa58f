"""A Spark job in a task, with the address of its table and the name of its database in the code."""

from datetime import datetime

from airflow.sdk import DAG, task

with DAG("to_a_lake", schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False):

    @task
    def append(ds=None):
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.appName("visits").getOrCreate()
        visits = spark.createDataFrame([(ds,)], "day string")
        visits.write.format("delta").mode("append").save("s3a://lake/visits")
        spark.sql("create database if not exists silver")
        spark.read.format("delta").load("s3a://lake/visits").write.mode("append").saveAsTable("silver.visits")
        return spark.table("silver.visits").count()

    append()
