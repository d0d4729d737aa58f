"""What stands around a run and needs the services: seeding them, and reading them before and after."""

from __future__ import annotations

import importlib
from datetime import date, datetime
from typing import Any

from harness.errors import ConfigError
from harness.runner.request import RunRequest


def services(request: RunRequest) -> dict[str, Any]:
    """Rebuild the services of the request's namespace, by name."""
    from harness.services.registry import rebuild

    return {name: rebuild(name, ref) for name, ref in request.services.items()}


def call_seed(name: str, request: RunRequest, logical_dates: list[datetime | None]) -> None:
    """Call the project's `module:function` with (services, dates, data).

    Raises:
        ConfigError: there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        seed = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the seed {name!r} cannot be imported: {error}") from error
    # not moment.date(): a timetable may give pendulum's, whose text differs, and a source may draw from the text
    dates = [date(moment.year, moment.month, moment.day) for moment in logical_dates if moment is not None]
    seed(services(request), dates, request.data)


def take_snapshot(request: RunRequest) -> Any:
    """Read all stores of the namespace."""
    from harness.state import snapshot

    volatile = request.spec(request.dag_id).volatile
    return snapshot(
        services(request), volatile={name: {k: list(v) for k, v in sets.items()} for name, sets in volatile.items()}
    )
