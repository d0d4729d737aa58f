"""A Spark job by `spark-submit`: the environment's, which attaches to the resident driver, against Spark's own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.rows import Row
from tests.bench.surroundings import session
from tests.bench.timing import BenchError, in_turns, wall

#: does nearly nothing, so that its time is what running a job costs
_JOB = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("bench").getOrCreate()
assert spark.range(1000).count() == 1000
spark.stop()
"""


def job(rounds: int) -> list[Row]:
    """The same script, from the start of its process to its end."""
    submit = Path(sys.executable).with_name("spark-submit")
    if not submit.exists():
        raise BenchError("pyspark's spark-submit is not installed beside this interpreter")
    with tempfile.TemporaryDirectory() as name, session(("spark",)) as held, held.namespace() as namespace:
        folder, script = Path(name), Path(name, "job.py")
        script.write_text(_JOB)
        # what a task of the namespace finds first on PATH
        attached = [str(Path(namespace.environ["SPARK_HOME"], "bin", "spark-submit")), str(script)]
        plain = [str(submit), "--master", "local[2]", "--conf", "spark.ui.enabled=false", str(script)]

        def ours() -> float:
            return wall(folder, *attached, environ=namespace.environ)

        ours()
        medians = in_turns(rounds, ours, lambda: wall(folder, *plain, environ={"PYSPARK_PYTHON": sys.executable}))
    attaching, submitting = medians
    against = "Spark's own `spark-submit` of it, local master, no packages"
    return [Row("`spark-submit` of one count, to the resident driver", attaching, against, submitting, 0.1)]
