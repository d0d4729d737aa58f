"""Reads the logs of a session's services, with the session's secrets taken out."""

from __future__ import annotations

import collections
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import ConfigError
from harness.session.client import request
from harness.session.records import SessionRecord

REDACTED = "***"


def log_lines(record: SessionRecord, service: str, *, lines: int, follow: bool = False) -> Iterator[str]:
    """Yield the last lines of a service's log, and with `follow` those to come while the session lives.

    Args:
        record: the session.
        service: a service's name, with `-2` behind it for its second instance; or `daemon`.
        lines: how many to begin with.
        follow: go on until the session ends.

    Raises:
        ConfigError: the session has no such service, or it keeps no log.
    """
    answer = request(record, "log", service=service)
    if answer["path"] is None:
        raise ConfigError(
            f"no log of {service!r} in session {record.id}", hint=f"there is: {', '.join(answer['names'])}"
        )
    with Path(answer["path"]).open(errors="replace") as file:
        for line in collections.deque(file, maxlen=lines):
            yield redact(line, answer["secrets"])
        while follow and record.alive():
            yield from (redact(line, answer["secrets"]) for line in _fresh(file))
            time.sleep(0.2)


def redact(text: str, secrets: list[str]) -> str:
    """Return the text with each secret replaced."""
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text


def _fresh(file: IO[str]) -> Iterator[str]:
    while line := file.readline():
        yield line
