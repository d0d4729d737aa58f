"""The calls that a namespace made, and which of them had an effect."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from harness.models.base import Frozen
from harness.models.snapshot import Dataset

#: methods that ask for a change, and those of them that ask for the same thing however often (RFC 9110, 9.2)
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_IDEMPOTENT = frozenset({"PUT", "DELETE"})


class Call(Frozen):
    """One request and how it was answered.

    Args:
        app: which application.
        path: below the application's root.
        query: as it was written.
        digest: SHA-256 of the body.
        body: in base64; None when it was too large to keep.
        status: of the answer; 500 when the application failed.
        key: by which the upstream knows the call again.
    """

    app: str
    method: str
    path: str
    query: str = ""
    digest: str = ""
    body: str | None = None
    status: int
    key: str | None = None

    @property
    def name(self) -> str:
        """Return it as a dataset is called: `partner POST /v1/payouts`."""
        return f"{self.app} {self.method} {self.path}"

    @property
    def content(self) -> bytes:
        """Return the body, or its digest where that is all there is."""
        return self.digest.encode() if self.body is None else base64.b64decode(self.body)


def effective(service: str, calls: Iterable[Call], volatile: Mapping[str, Collection[str]]) -> list[Dataset]:
    """Return one dataset for each address, in their order; see `Http.snapshot`."""
    seen: set[tuple[object, ...]] = set()
    kept: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        if call.method not in _CHANGES or not 200 <= call.status < 300:
            continue
        # the same key with another body is a conflict that an upstream refuses, or takes for a call of its own
        known = (call.name, call.key, call.query, call.digest)
        if known in seen and (call.key is not None or call.method in _IDEMPOTENT):
            continue
        seen.add(known)
        kept.setdefault(call.name, []).append(_told(call, volatile.get(call.name, ())))
    return [_dataset(service, name, kept[name]) for name in sorted(kept)]


def _told(call: Call, left_out: Collection[str]) -> dict[str, Any]:
    parts: dict[str, Any] = {"query": call.query, "body": _readable(call.content)}
    if isinstance(parts["body"], dict):
        parts["body"] = {name: value for name, value in parts["body"].items() if name not in left_out}
    return {name: value for name, value in parts.items() if name not in left_out and value not in ("", None)}


def _readable(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="backslashreplace")


def _dataset(service: str, name: str, calls: list[dict[str, Any]]) -> Dataset:
    digests: Counter[str] = Counter()
    sample = {}
    for call in calls:
        digest = hashlib.blake2b(json.dumps(call, sort_keys=True).encode(), digest_size=16).hexdigest()
        digests[digest] += 1
        sample[digest] = call
    return Dataset(service=service, name=name, kind="call", rows=digests.total(), digests=dict(digests), sample=sample)
