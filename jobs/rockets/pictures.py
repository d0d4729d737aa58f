"""Fetches the pictures of launches; what one launch lacks is noted, and an outage of the hosts is an error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import httpx

from jobs.common.http import ANSWER_WITHIN, get
from jobs.rockets.contract import manifest_key, pictures_prefix

#: this share of the addresses may be out of reach, and it is still the addresses that are bad, not the network
_TOLERATED = 0.5


class HostsDown(ConnectionError):
    """So many pictures could not be fetched that another try is better than a day without them."""


@dataclass(frozen=True)
class Picture:
    """One launch's picture: its key below the day's prefix, and its bytes."""

    key: str
    content: bytes


@dataclass(frozen=True)
class Problem:
    """Why a launch has no picture. `passing`: another try may find it."""

    launch: str
    reason: str
    passing: bool = False


def picture_client() -> httpx.Client:
    """Return a client for the hosts of pictures: others than the library's, so it carries none of its credentials."""
    return httpx.Client(timeout=ANSWER_WITHIN, follow_redirects=True)


def fetch(client: httpx.Client, launch: Mapping[str, Any], *, pause: float = 0.2) -> Picture | Problem:
    """Return a launch's picture, or why there is none."""
    address = launch["image"]
    if address is None:
        return Problem(launch["id"], "no picture")
    if not _is_address(address):
        return Problem(launch["id"], "bad address")
    try:
        answer = get(client, address, tries=2, pause=pause)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        return Problem(launch["id"], f"answer {status}", passing=status == 429 or status >= 500)
    except httpx.TransportError:
        return Problem(launch["id"], "unreachable", passing=True)
    if not answer.headers.get("content-type", "").startswith("image/"):
        return Problem(launch["id"], "not an image")
    # in a folder of the launch's own: two pictures may have one basename
    return Picture(f"{launch['id']}/{httpx.URL(address).path.rpartition('/')[2]}", answer.content)


def fetch_all(
    client: httpx.Client, launches: Iterable[Mapping[str, Any]], *, pause: float = 0.2
) -> tuple[list[Picture], list[Problem]]:
    """Return the pictures of all launches, and the problems of those that have none.

    Raises:
        HostsDown: more than half of the addresses that could be asked did not answer.
    """
    found = [fetch(client, launch, pause=pause) for launch in launches]
    pictures = [one for one in found if isinstance(one, Picture)]
    problems = [one for one in found if isinstance(one, Problem)]
    passing = [problem for problem in problems if problem.passing]
    if len(passing) > _TOLERATED * (len(pictures) + len(passing)):
        told = ", ".join(sorted({problem.reason for problem in passing}))
        raise HostsDown(f"{len(passing)} of {len(pictures) + len(passing)} pictures could not be fetched: {told}")
    return pictures, problems


def publish(s3: Any, bucket: str, day: date, pictures: list[Picture], problems: list[Problem]) -> dict[str, int]:
    """Put the day's pictures, then the manifest that names them, then remove pictures of an earlier try.

    Whoever reads by the manifest never meets a name without its picture. Returns how many there are of either.
    """
    prefix = pictures_prefix(day)
    for picture in pictures:
        s3.put_object(Bucket=bucket, Key=prefix + picture.key, Body=picture.content)
    manifest = {
        "day": day.isoformat(),
        "pictures": {one.key: hashlib.sha256(one.content).hexdigest() for one in sorted(pictures, key=lambda p: p.key)},
        "problems": [asdict(one) for one in sorted(problems, key=lambda p: p.launch)],
    }
    s3.put_object(Bucket=bucket, Key=manifest_key(day), Body=json.dumps(manifest, indent=1).encode())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
        if key.removeprefix(prefix) not in manifest["pictures"]:
            s3.delete_object(Bucket=bucket, Key=key)
    return {"pictures": len(pictures), "problems": len(problems)}


def _is_address(address: str) -> bool:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)
