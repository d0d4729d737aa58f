"""Write a Delta table that depends on the arguments, and tell what it holds: `load.py TABLE DAY ROWS`."""

import sys

import rates
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def main() -> None:
    table, day, count = sys.argv[1:]
    spark = SparkSession.builder.appName("load").getOrCreate()
    priced = F.udf(lambda number: number * rates.RATE, "long")
    rows = spark.range(int(count)).select("id", F.lit(day).alias("day"), priced("id").alias("amount"))
    rows.write.format("delta").mode("overwrite").save(table)
    print(f"{spark.read.format('delta').load(table).count()} rows of {day}")
    spark.stop()


if __name__ == "__main__":
    main()
