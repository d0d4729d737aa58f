"""What the fork server does once, so that no run has to: imports, mappings, the execution API's routes."""

from __future__ import annotations


def warm() -> None:
    """Import the runner and build what every run needs; called in the fork server before its first fork."""
    from sqlalchemy.orm import configure_mappers

    from harness._compat import dags, execution_api, metadata, records, scheduling, supervision, triggers
    from harness.runner import apart, controller, dates, discovery, loop, results, surroundings

    del (
        apart,
        controller,
        dags,
        dates,
        discovery,
        loop,
        records,
        results,
        scheduling,
        supervision,
        surroundings,
        triggers,
    )
    configure_mappers()
    metadata.version_key()
    execution_api.app()
