"""What the stores hold, as content fingerprints, and how two such states differ in words."""

from __future__ import annotations

from harness.state.diff import describe, diff, in_words
from harness.state.snapshot import Snapshot, outside, snapshot

__all__ = ["Snapshot", "describe", "diff", "in_words", "outside", "snapshot"]
