"""Finds secrets where they must not be: logs, XComs, rendered fields, stores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.models.run import RunReport
from harness.state import Snapshot

if TYPE_CHECKING:
    from harness.session.client import Namespace

#: shorter values are words that may stand anywhere, not secrets
SHORTEST = 8

#: bytes of a log or an object that are read
READ_AT_MOST = 4 << 20


def find_leaks(report: RunReport, namespace: Namespace, stores: Snapshot, planted: Mapping[str, str]) -> list[str]:
    """Return a sentence for each place that holds a secret; the secret itself is not told.

    Args:
        report: of the run that is searched, with its logs.
        namespace: in which it ran; the passwords of its services are secrets.
        stores: content of its stores after the run.
        planted: name to value of the variables that hold a secret made for this search.
    """
    secrets = {f"the variable {name!r}": value for name, value in planted.items()}
    for service in namespace.services.values():
        for value in service.endpoint.secret_values():
            if len(value) >= SHORTEST:
                secrets[f"a credential of {service.name}"] = value
    return sorted(
        {
            f"{name} stands in {place}"
            for place, content in _places(report, namespace, stores)
            for name, value in secrets.items()
            if value in content
        }
    )


def _places(report: RunReport, namespace: Namespace, stores: Snapshot) -> Iterator[tuple[str, str]]:
    for run in report.runs:
        for task in run.tasks:
            yield f"an XCom of {task.name}", _text(task.xcoms)
            yield f"a rendered field of {task.name}", _text(task.rendered)
            for one in task.tries:
                if one.log:
                    yield f"the log of {task.name}, try {one.number}", _read(Path(report.folder or "") / one.log)
    for dataset in stores:
        yield f"{dataset.name} ({dataset.service})", _text(dataset.sample)
    for service in namespace.services.values():
        if service.role == "s3":
            yield from _objects(service)


def _objects(store: Any) -> Iterator[tuple[str, str]]:
    for logical, physical in store.slice.names["bucket"].items():
        for page in store.client.get_paginator("list_objects_v2").paginate(Bucket=physical):
            for entry in page.get("Contents", ()):
                body = store.client.get_object(Bucket=physical, Key=entry["Key"])["Body"]
                yield f"the object {logical}/{entry['Key']}", body.read(READ_AT_MOST).decode(errors="replace")


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(READ_AT_MOST).decode(errors="replace")
