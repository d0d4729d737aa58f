"""End as the argument says, after some work: `raise`, or an exit code."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print(spark.range(5).count(), "rows before the end")
if sys.argv[1] == "raise":
    raise ValueError("the job's own")
sys.exit(int(sys.argv[1]))
