"""Why a bar is missed, where it is; each from a measurement."""

from __future__ import annotations

from collections.abc import Mapping

_CHECK = (
    "of 0.57 s of CPU, 0.28 s are the start of Python with pydantic and the models of a report, and 0.10 s that of the "
    "command line; they are paid for one file as for 500."
)

#: `Row.what` -> one sentence
REASONS: Mapping[str, str] = {
    "check of 50 files, nothing changed": _CHECK,
    "check of 50 files, one changed": f"{_CHECK} A file that changed is loaded by a process that imports Airflow first.",
    "check of 500 files, nothing changed": _CHECK,
    "check of 500 files, one changed": f"{_CHECK} A file that changed is loaded by a process that imports Airflow first.",
    "Spark job of one count, its process attached to the driver": (
        "nine tenths of the job's process are imports, while the count takes a third of a second: pyspark itself, and "
        "then pandas and gRPC, which come with `pyspark.testing`; the converters of pyspark 4.0.0 import that at the "
        "first argument that goes to the JVM, to find out whether there is NumPy."
    ),
}
