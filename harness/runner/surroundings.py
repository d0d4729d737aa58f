"""What stands around a run and needs the services: seeding them, and reading them before and after."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Stock:
    """What there was in the stores at one moment.

    Args:
        inside: what the namespace holds; None where it is not compared.
        outside: what lies beside all namespaces in servers that it shares: name -> a mark that every write changes.
        unread: services whose content cannot be read, and is missing in `inside`.
    """

    inside: Any
    outside: dict[str, str]
    unread: frozenset[str] = frozenset()


def take_stock(request: RunRequest) -> Stock:
    """Read all stores of the namespace, and look at what lies beside it."""
    from harness.state import outside, snapshot

    used = services(request)
    volatile = {
        name: {k: list(v) for k, v in sets.items()} for name, sets in request.spec(request.dag_id).volatile.items()
    }
    inside = snapshot(used, volatile=volatile) if request.snapshot else None
    unread = frozenset(name for name, service in used.items() if not service.readable)
    return Stock(inside, outside(used), unread)


def fingerprint(request: RunRequest) -> str:
    """Return a digest of all that the namespace holds, and of what seeds asked upstream applications for."""
    from harness.state import snapshot

    used = services(request)
    held = [(one.service, one.name, sorted(one.digests.items())) for one in snapshot(used)]
    asked = [service.asked_by_seeds() for service in used.values() if service.role == "http"]
    return hashlib.sha256(repr((held, asked)).encode()).hexdigest()


def trespasses(before: Stock | None, after: Stock | None) -> list[str]:
    """Return a sentence for each thing outside the namespace that was written to between two moments."""
    if before is None or after is None:
        return []
    touched = sorted(name for name, mark in after.outside.items() if before.outside.get(name) != mark)
    hint = "the code names it in a way that nobody could foresee: set `names: declared` on that service"
    return [f"wrote outside its namespace: {name} ({hint})" for name in touched]
