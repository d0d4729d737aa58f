"""Tell as JSON what a job sees of its options."""

import json
import os
import sys
from pathlib import Path

from pyspark import SparkConf, SparkContext, SparkFiles
from pyspark.sql import SparkSession

context = SparkContext(conf=SparkConf())
spark = SparkSession(context)
names = ["settings.ini", "archive/inside.txt"]
told = {
    "arguments": sys.argv,
    "name": context.appName,
    "file": __file__,
    "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
    "own": context.getConf().get("spark.load.day"),
    "worker": context.parallelize([0], 1).map(lambda _: os.environ.get("REGION")).collect(),
    "files": {name: Path(SparkFiles.get(name)).read_text() for name in names if Path(SparkFiles.get(name)).exists()},
    "database": spark.catalog.currentDatabase(),
}
print(json.dumps(told))
