"""What the parts of the relay agree on: topics, headers, and the ways in which a record can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: where a message came from, `partition/offset` of the input; kept by a dead letter and by what it becomes later
SOURCE_HEADER = "source"

#: how often a record is tried in one run before it is put aside
ATTEMPTS = 3


class InvalidRecord(ValueError):
    """The record is wrong, and will be however often it is tried."""


class TemporaryError(RuntimeError):
    """What the record needs is not to be had at the moment."""


class ServiceAway(TemporaryError):
    """Nobody answers. That is no record's fault: the run ends, and its next try begins where it was."""


@dataclass(frozen=True)
class Topics:
    """Physical names.

    Args:
        source: what arrives.
        clean: what was relayed.
        dead: what was put aside, with the reason.
    """

    source: str
    clean: str
    dead: str


#: makes the relayed value of a record's value; the number says which attempt it is, over all runs
Handle = Callable[[bytes, int], bytes]
