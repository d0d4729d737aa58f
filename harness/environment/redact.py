"""Decides which values are secrets, by their keys and by the variables that they come from."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from harness.environment.source import KeyPath, Origin

REDACTED = "***"

_SECRET = re.compile(
    r"pass(word|wd|phrase|wort)?$|password|secret|token|credential|private.?key|api.?key|access.?key|jaas",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Tell whether a key or variable of this name holds a secret."""
    return bool(_SECRET.search(key))


def redact(value: object, path: KeyPath, origin: Origin | None = None) -> object:
    """Return the value as it may be shown.

    A value is hidden whole when a key above it or a variable in it names a secret; a password in a URL is cut out.
    """
    if value is None or isinstance(value, bool):
        return value
    names = [step for step in path if isinstance(step, str)]
    if any(map(is_secret, (*names, *(origin.variables if origin else ())))):
        return REDACTED
    return _without_password(value) if isinstance(value, str) and "://" in value else value


def _without_password(url: str) -> str:
    try:
        password = urlsplit(url).password
    except ValueError:
        return url
    return url.replace(f":{password}@", f":{REDACTED}@", 1) if password else url
