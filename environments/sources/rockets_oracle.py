"""What the rocket pipeline must make of a day, from what the library and its hosts answer; no code of the jobs'."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from environments.sources.rockets import RocketSource, picture

_MEDIA = "http://library/media"


@dataclass(frozen=True)
class Expected:
    """The exact outcome of a day.

    Args:
        launches: how many the library knows.
        pictures: `LAUNCH/BASENAME` to bytes.
        problems: launch to why it has no picture.
    """

    launches: int
    pictures: dict[str, bytes]
    problems: dict[str, str]

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(self.problems.values()))


def expected(source: RocketSource, day: date) -> Expected:
    """Return what one run of the day must leave, however often and in whatever order days are run."""
    pictures: dict[str, bytes] = {}
    problems: dict[str, str] = {}
    launches = source.day(day, _MEDIA)
    for launch in launches:
        reason = _complaint(launch["image"])
        if reason:
            problems[launch["id"]] = reason
        else:
            path = urlsplit(launch["image"]).path
            pictures[f"{launch['id']}/{path.rpartition('/')[2]}"] = picture(path)
    return Expected(len(launches), pictures, problems)


def _complaint(image: str | None) -> str | None:
    if image is None:
        return "no picture"
    if not image.startswith("http://"):
        return "bad address"
    if not image.startswith(_MEDIA):
        return "unreachable"
    if "/missing/" in image:
        return "answer 404"
    return "not an image" if "/page/" in image else None
