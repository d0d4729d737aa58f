"""Relays until it is killed: `relay_until.py POINT VERSION CONFIG TOPICS`, both last ones JSON. Exits with 70 there.

The points are in the second of its transactions, so that the first one is committed already.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from typing import Any

import confluent_kafka

from jobs.common.topics import topic_reader
from jobs.relay.contract import Topics
from jobs.relay.events import handle
from jobs.relay.relay import Bounds, following, group_of, relay, settle

POINTS = ("after begin", "after send", "after offsets", "before commit", "after commit")
SIZE = 20
KILLED = 70


class Mortal(confluent_kafka.Producer):
    """A producer that ends its process at a point, as a crash does: without any clean-up."""

    point: str
    begun = 0

    def begin_transaction(self) -> None:
        super().begin_transaction()
        self.begun += 1
        self._die_at("after begin")

    def produce(self, *arguments: Any, **named: Any) -> None:
        super().produce(*arguments, **named)
        self._die_at("after send")

    def send_offsets_to_transaction(self, *arguments: Any) -> None:
        super().send_offsets_to_transaction(*arguments)
        self._die_at("after offsets")

    def commit_transaction(self, *arguments: Any) -> None:
        self._die_at("before commit")
        super().commit_transaction(*arguments)
        self._die_at("after commit")

    def _die_at(self, point: str) -> None:
        if self.begun == 2 and point == self.point:
            if point in ("after send", "before commit"):
                self.flush(30)  # what was sent is in the broker's log, open
            os._exit(KILLED)


def at_least_once(*, config: dict[str, Any], topics: Topics, handle: Any, bounds: Bounds) -> None:
    """The version without transactions: send, wait for the acknowledgements, then commit the offsets."""
    producer = confluent_kafka.Producer({name: value for name, value in config.items() if name != "group.id"})
    with topic_reader(topics.source, config, group=group_of(config, replay=False)) as reader:
        for number, batch in enumerate(reader.batches(reader.committed(), size=bounds.records, within=60)):
            for one in (settle(message, handle, topics, replay=False) for message in batch):
                producer.produce(one.topic, one.value, one.key, headers=one.headers, timestamp=one.timestamp)
            producer.flush(30)
            if number == 1 and Mortal.point == "before commit":
                os._exit(KILLED)
            reader.consumer.commit(offsets=following(batch), asynchronous=False)


def main(point: str, version: str, config: str, topics: str) -> None:
    Mortal.point = point
    confluent_kafka.Producer = Mortal if version == "transactions" else confluent_kafka.Producer
    run = relay if version == "transactions" else at_least_once
    known = partial(handle, resolve=lambda session, attempt: "somebody")
    run(config=json.loads(config), topics=Topics(*json.loads(topics)), handle=known, bounds=Bounds(records=SIZE))


if __name__ == "__main__":
    main(*sys.argv[1:])
