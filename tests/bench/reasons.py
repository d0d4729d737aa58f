"""Why a bar is missed, where it is; each from a measurement."""

from __future__ import annotations

from collections.abc import Mapping

#: `Row.what` -> one sentence
REASONS: Mapping[str, str] = {}
