"""`expect_topic`: which messages a topic must hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import ConfigError
from harness.expect.check import check
from harness.services.kafka import Kafka
from harness.services.kafka_clients import Message

Expected = Message | tuple[Any, Any] | Mapping[str, Any]

_PARTS = ("key", "value", "headers", "partition")


def expect_topic(
    kafka: Kafka,
    topic: str,
    messages: Iterable[Expected] | None = None,
    *,
    in_order: bool = False,
    show: int = 5,
) -> None:
    """Assert that a topic holds exactly these committed messages.

    Args:
        kafka: the broker.
        topic: its logical name.
        messages: (key, value), or mappings with `key`, `value`, and where they matter `headers` (a mapping) and
            `partition`. A value that is a list, a mapping, a number or None is compared as JSON; a text or bytes as it
            is. Without `messages`: compares with the file that `--update-expectations` wrote.
        in_order: messages of one key must come in the order in which they stand here: what Kafka itself promises.
        show: how many differences of each kind are written out.

    Raises:
        AssertionError: a message is missing, unexpected or at another place.
        ServiceError: there is no such topic.
    """
    __tracebackhide__ = True
    wanted = None if messages is None else [_row(message) for message in messages]
    parts = [part for part in _PARTS if part in ("key", "value") or any(part in row for row in wanted or ())]
    as_json = wanted is None or any(not isinstance(row["value"], str | None) for row in wanted)
    found = [_found(message, parts, as_json=as_json) for message in kafka.client.read(topic)]
    if wanted is not None:
        wanted = [{part: row.get(part) for part in parts} for row in wanted]
        wanted = [row | {"value": _json(row["value"])} for row in wanted] if as_json else wanted
    key: tuple[str, ...] = ()
    if in_order:
        key = ("key", "place")
        wanted, found = None if wanted is None else _placed(wanted), _placed(found)
    check(topic, wanted, found, columns=[*parts, *key[1:]], key=key, unit="message", show=show)


def _row(message: Expected) -> dict[str, Any]:
    if isinstance(message, Message):
        row: dict[str, Any] = {"key": message.key, "value": message.value}
        row |= {"headers": dict(message.headers)} if message.headers else {}
    elif isinstance(message, Mapping):
        row = dict(message)
    else:
        row = dict(zip(("key", "value"), message, strict=True))
    unknown = [part for part in row if part not in _PARTS]
    if unknown or "value" not in row:
        raise ConfigError(f"a message has {', '.join(_PARTS)}; found {', '.join(row)}")
    return {part: _text(value) for part, value in row.items()}


def _found(message: Message, parts: Iterable[str], *, as_json: bool) -> dict[str, Any]:
    value = _text(message.value)
    whole = {
        "key": _text(message.key),
        "value": _json(value) if as_json else value,
        "headers": {name: _text(content) for name, content in message.headers},
        "partition": message.partition,
    }
    return {part: whole[part] for part in parts}


def _text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _text(item) for name, item in value.items()}
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _json(text: Any) -> Any:
    """Return what a text says as JSON; what is none stays as it is."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def _placed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Number the messages of each key; `read` gives them by partition and offset."""
    seen: Counter[Any] = Counter()
    placed = []
    for row in rows:
        seen[row["key"]] += 1
        placed.append({**row, "place": seen[row["key"]]})
    return placed
