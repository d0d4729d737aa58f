"""Decides whether every record that was worked off is in exactly one place: relayed, or waiting as a dead letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.common.topics import topic_reader
from jobs.relay.contract import SOURCE_HEADER, Topics
from jobs.relay.relay import group_of

if TYPE_CHECKING:
    from confluent_kafka import Message

#: seconds that the marks of the relay's last commit may take to come
MARKS = 10.0


class AuditFailed(ValueError):
    """Records were lost or doubled. A second try would count the same ones."""


@dataclass(frozen=True)
class Census:
    """Where the records are, by their coordinates in the input.

    Args:
        taken: worked off, as the committed offsets have it.
        waiting: behind those offsets: not read yet.
        relayed: in the clean topic.
        dead: in the dead letter topic, and not worked off again since.
    """

    taken: frozenset[str]
    waiting: int
    relayed: Counter[str]
    dead: Counter[str]


def audit(*, config: Mapping[str, Any], topics: Topics, within: float = 120) -> dict[str, int]:
    """Return the counts.

    Raises:
        AuditFailed: input and output do not add up.
    """
    census = take_census(config=config, topics=topics, within=within)
    if complaints := list(complaints_about(census)):
        raise AuditFailed("; ".join(complaints))
    return {
        "taken": len(census.taken),
        "waiting": census.waiting,
        "relayed": census.relayed.total(),
        "dead": census.dead.total(),
    }


def take_census(*, config: Mapping[str, Any], topics: Topics, within: float) -> Census:
    """Read the three topics to their ends."""
    taken: set[str] = set()
    waiting = 0
    with topic_reader(topics.source, config, group=group_of(config, replay=False)) as reader:
        done = reader.committed()
        for batch in reader.batches(within=within):
            for message in batch:
                if message.offset() < done[message.partition()]:
                    taken.add(f"{message.partition()}/{message.offset()}")
                else:
                    waiting += 1
    group = group_of(config, replay=True)
    relayed = _sources(topics.clean, config, group, within, from_committed=False)
    return Census(frozenset(taken), waiting, relayed, _sources(topics.dead, config, group, within, from_committed=True))


def complaints_about(census: Census) -> Iterator[str]:
    """Complain about records that are nowhere, in two places, or from nowhere."""
    placed = census.relayed + census.dead
    if lost := census.taken - placed.keys():
        yield f"{len(lost)} records were worked off and are nowhere: {_some(lost)}"
    if twice := {source for source, count in placed.items() if count > 1}:
        yield f"{len(twice)} records are there more than once: {_some(twice)}"
    if strange := placed.keys() - census.taken:
        yield f"{len(strange)} records come from what was not worked off: {_some(strange)}"


def _sources(topic: str, config: Mapping[str, Any], group: str, within: float, *, from_committed: bool) -> Counter[str]:
    with topic_reader(topic, config, group=group, patience=MARKS) as reader:
        starts = reader.committed() if from_committed else None
        return Counter(_source(one) for batch in reader.batches(starts, within=within) for one in batch)


def _source(message: Message) -> str:
    found = dict(message.headers() or ()).get(SOURCE_HEADER)
    return found.decode() if found else f"no source, {message.topic()} {message.partition()}/{message.offset()}"


def _some(places: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(places)[:3])
