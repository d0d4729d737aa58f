"""What the parts of the rocket pipeline agree on: where a day's things are."""

from __future__ import annotations

from datetime import date


def folder(day: date) -> str:
    """Return what all keys of a day begin with: no run writes to another day's, and none to a path that runs share."""
    return f"rockets/{day.isoformat()}/"


def launches_key(day: date) -> str:
    """Return where the library's answer is kept."""
    return f"{folder(day)}launches.json"


def pictures_prefix(day: date) -> str:
    """Return what the keys of a day's pictures begin with; `LAUNCH/BASENAME` follows."""
    return f"{folder(day)}pictures/"


def manifest_key(day: date) -> str:
    """Return where it says which pictures there are; it is written when all of them are there."""
    return f"{folder(day)}manifest.json"


def notified_key(day: date) -> str:
    """Return where it says which mail was sent."""
    return f"{folder(day)}notified.json"
