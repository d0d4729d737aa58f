"""Picks the logical dates on which date arithmetic goes wrong, as far as a schedule and a declared range have them.

Two dates follow each other, since what one does to its neighbour is half of what proofs ask; the third comes later.
What is looked for: a day of 23 or 25 hours, the end of a month or a year, 29 February, a day whose number begins like
another one's (`/3/1` and `/3/10`: a prefix without its closing slash), Sunday and Monday.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: a pair that is worth less is not worth leaving the first dates for
_WORTH = 3


@dataclass(frozen=True)
class Picked:
    """A logical date.

    Args:
        at: its place among those that were offered.
        why: what is special about it; empty for one that was the first.
    """

    at: int
    why: str = ""


def pick(moments: Sequence[datetime], count: int) -> list[Picked]:
    """Return as many of these dates as are wanted, in order.

    Args:
        moments: logical dates in the DAG's own time zone, in order.
        count: how many are wanted; of fewer than three the first ones are taken.
    """
    first = [Picked(at) for at in range(min(count, len(moments)))]
    if len(moments) <= count or count < 3:
        return [Picked(one.at, _said(_of_day(moments[one.at]))) for one in first]
    worth, negative = max(
        (sum(weight for weight, _ in _of_pair(*moments[at : at + 2])), -at) for at in range(len(moments) - 2)
    )
    if worth < _WORTH:
        return first
    pair = -negative
    later = range(pair + 2, len(moments))
    third = max(later, key=lambda at: (sum(w for w, _ in _after(moments, pair, at)), -at))
    why = _said(_of_pair(*moments[pair : pair + 2]))
    return [Picked(pair, why), Picked(pair + 1, why), Picked(third, _said(_after(moments, pair, third)))]


Reasons = Iterator[tuple[int, str]]


def _of_pair(one: datetime, next_one: datetime) -> Reasons:
    yield from _of_day(one)
    if one.year != next_one.year:
        yield 4, "the end of a year"
    elif one.month != next_one.month:
        yield 3, "the end of a month"
    if (one.isoweekday(), next_one.isoweekday()) == (7, 1):
        yield 1, "Sunday and Monday"


def _of_day(day: datetime) -> Reasons:
    change = _clock_change(day)
    if change:
        yield 8, f"a day of {24 - change:g} hours"
    if (day.month, day.day) == (2, 29):
        yield 2, "29 February"


def _after(moments: Sequence[datetime], pair: int, at: int) -> Reasons:
    day = moments[at]
    yield from _of_day(day)
    for other in moments[pair : pair + 2]:
        same_month = (day.year, day.month) == (other.year, other.month)
        if same_month and day.day != other.day and str(day.day).startswith(str(other.day)):
            yield 5, f"its day begins like the {other.day} of {other:%Y-%m-%d}"


def _clock_change(moment: datetime) -> float:
    """Return by how many hours the clock goes forward on the local day of a moment; negative for back."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    following = (midnight.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=midnight.tzinfo)
    before, after = midnight.utcoffset(), following.utcoffset()
    return (after - before).total_seconds() / 3600 if before is not None and after is not None else 0.0


def _said(reasons: Reasons) -> str:
    return ", ".join(words for _, words in reasons)
