"""Why a bar is missed, where it is; each from a measurement."""

from __future__ import annotations

from collections.abc import Mapping

_UNCHANGED = (
    "of 0.57 s of CPU, 0.28 s are the start of Python with pydantic and the models of a report, and 0.10 s that of the "
    "command line; these are paid for one file as for 500."
)
_CHANGED = f"{_UNCHANGED} A file that changed is loaded below a fork server of this check, which imports Airflow first."

#: `Row.what` -> why
REASONS: Mapping[str, str] = {
    "check of 50 files, nothing changed": _UNCHANGED,
    "check of 50 files, one changed": _CHANGED,
    "check of 500 files, nothing changed": _UNCHANGED,
    "check of 500 files, one changed": _CHANGED,
    "`spark-submit` of one count, to the resident driver": (
        "the job's process takes 0.43 s of CPU, nearly all of it imports: pyspark's, and what attaches to the driver."
    ),
}
