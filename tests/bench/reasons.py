"""Why a bar is missed, where it is; each from a measurement."""

from __future__ import annotations

from collections.abc import Mapping

_UNCHANGED = (
    "of 0.57 s of CPU, 0.28 s are the start of Python with pydantic and the models of a report, and 0.10 s that of the "
    "command line; these are paid for one file as for 500."
)
_ALL_NEW = (
    "the fork server imports Airflow first, which alone takes as long as DagBag with its import (see the row of one "
    "changed file); then each file is loaded, read, and judged by all rules."
)
_WARM = (
    "the command starts and attaches first, as its own row has it, and each task is a process of its own; `dag.test()` "
    "is called in a process that has imported everything."
)
_CHANGED = f"{_UNCHANGED} A file that changed is loaded below a fork server of this check, which imports Airflow first."

#: `Row.what` -> why
REASONS: Mapping[str, str] = {
    "four services cold, and the first Delta write to S3": (
        "nearly all of it is the start of Spark alone, as the row before has it, and the other side starts Spark too."
    ),
    "warm run of a DAG of three tasks, folder of 1 file": _WARM,
    "warm run of a DAG of three tasks, folder of 50 files": _WARM,
    "warm run of a DAG of three tasks, folder of 500 files": _WARM,
    "one more Python task in a warm run": (
        "it passes Airflow's own scheduling and task runner; `dag.test()`, which starts no process for it, takes "
        "nearly as long for one."
    ),
    "namespace of Postgres, S3 and Kafka for one test": (
        "a clone of Postgres' template is over a third of it, as the row below has it; buckets and topics are the rest."
    ),
    "check of 50 files, all new": _ALL_NEW,
    "check of 500 files, all new": _ALL_NEW,
    "`pytest -n 2`, a part of the suite (tests/harness/runner and tests/harness/state)": (
        "there are two cores, and the services, the fork server and the tasks of both workers run on them too."
    ),
    "check of 50 files, nothing changed": _UNCHANGED,
    "check of 50 files, one changed": _CHANGED,
    "check of 500 files, nothing changed": _UNCHANGED,
    "check of 500 files, one changed": _CHANGED,
    "`spark-submit` of one count, to the resident driver": (
        "the job's process takes 0.43 s of CPU, nearly all of it imports: pyspark's, and what attaches to the driver."
    ),
}
