"""What one line of the table says, and when a budget counts as met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.bench.reasons import REASONS


@dataclass(frozen=True)
class Row:
    """One measured budget.

    Args:
        what: is measured.
        ours: seconds, the median of the rounds.
        against: what it is compared with, in words.
        theirs: seconds, the median of the rounds.
        bar: what `value` may be at most; None where nothing was promised.
        compare: `ratio`: ours / theirs; `difference`: ours - theirs, in seconds; `alone`: ours, in seconds.
    """

    what: str
    ours: float
    against: str
    theirs: float
    bar: float | None = None
    compare: Literal["ratio", "difference", "alone"] = "ratio"

    @property
    def value(self) -> float:
        if self.compare == "ratio":
            return self.ours / self.theirs
        return self.ours - self.theirs if self.compare == "difference" else self.ours

    @property
    def met(self) -> bool:
        return self.bar is None or self.value <= self.bar

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return "-"
        return "met" if self.met else "**missed**"

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        value, bar = self._in_words()
        return (self.what, seconds(self.ours), self.against, seconds(self.theirs), value, bar, self.verdict)

    @property
    def comment(self) -> str:
        """Why the bar is missed; empty for a row that meets it, or has none."""
        if self.met:
            return ""
        return REASONS.get(self.what, "why has not been found out yet.")

    def _in_words(self) -> tuple[str, str]:
        say = ratio if self.compare == "ratio" else seconds
        return say(self.value), "-" if self.bar is None else f"<= {limit(self.bar, self.compare == 'ratio')}"


@dataclass(frozen=True)
class Unmeasured:
    """A budget that could not be measured on this machine, or whose measurement failed.

    Args:
        what: would have been measured.
        against: what it would have been compared with.
        why: in a few words.
        failed: it should have been possible.
    """

    what: str
    against: str
    why: str
    failed: bool = False

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        return (self.what, "-", self.against, "-", "-", "-", f"not measured: {self.why}")

    @property
    def comment(self) -> str:
        """There is nothing more to say."""
        return ""


Line = Row | Unmeasured


def seconds(value: float) -> str:
    """Write a time so that its digits tell something: below a tenth of a second in milliseconds."""
    if abs(value) < 0.1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.2f} s"


def ratio(value: float) -> str:
    """Write a ratio with two telling digits, also a small one."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def limit(bar: float, is_ratio: bool) -> str:
    """Write a bar as it was promised."""
    if is_ratio:
        return f"{bar:g}"
    return f"{bar * 1000:g} ms" if bar < 0.1 else f"{bar:g} s"
