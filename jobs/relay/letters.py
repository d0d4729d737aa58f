"""A dead letter: the record as it came, why it was put aside, and how often it was tried."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Letter:
    """What lies in the dead letter topic.

    Args:
        original: the record's bytes, whatever they are.
        error_type: class of the last error.
        error_message: its text.
        retry_count: attempts that were made, over all runs.
        timestamp: of the record, milliseconds since 1970 UTC. When it was put aside is the letter's own timestamp at
            the broker; in the letter it would make each run's bytes different.
        context: which part of the relay gave up.
    """

    original: bytes
    error_type: str
    error_message: str
    retry_count: int
    timestamp: int
    context: str = "relay"

    def to_json(self) -> bytes:
        """Return the message's value: JSON, so the bytes of the record are text when they can be, base64 else."""
        try:
            encoding, text = "utf-8", self.original.decode()
        except UnicodeDecodeError:
            encoding, text = "base64", base64.b64encode(self.original).decode()
        content = {
            "original_record": text,
            "original_encoding": encoding,
            "error_type": self.error_type,
            "error_message": self.error_message,
            "retry_count": self.retry_count,
            "timestamp": datetime.fromtimestamp(self.timestamp / 1000, UTC).isoformat(),
            "context": self.context,
        }
        return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def from_json(cls, value: bytes) -> Letter:
        """Return the letter that `to_json` wrote."""
        content = json.loads(value)
        text = content["original_record"]
        return cls(
            original=base64.b64decode(text) if content["original_encoding"] == "base64" else text.encode(),
            error_type=content["error_type"],
            error_message=content["error_message"],
            retry_count=content["retry_count"],
            timestamp=round(datetime.fromisoformat(content["timestamp"]).timestamp() * 1000),
            context=content["context"],
        )
