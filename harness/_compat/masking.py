"""Masking secrets in what is logged, as Airflow's task log does.

Bridges: the masker that `mask_secret` feeds is private to the Task SDK.
"""

from __future__ import annotations

from typing import Any


def masked(value: Any) -> Any:
    """Return a value with every secret that this process knows of replaced by asterisks."""
    from airflow.sdk._shared.secrets_masker import redact

    return redact(value)
