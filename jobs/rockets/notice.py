"""Tells by mail what a day's manifest says: once, however often the day is run."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from jobs.common.mail import send_mail
from jobs.rockets.contract import manifest_key, notified_key


def subject(manifest: Mapping[str, Any]) -> str:
    """Return `Rocket launches of 2026-01-01: 21 pictures`."""
    return f"Rocket launches of {manifest['day']}: {len(manifest['pictures'])} pictures"


def body(manifest: Mapping[str, Any]) -> str:
    """Return the counts: launches, pictures, and each reason for which a launch has none."""
    reasons = Counter(problem["reason"] for problem in manifest["problems"])
    launches = len(manifest["pictures"]) + len(manifest["problems"])
    lines = [f"{launches} launches, {len(manifest['pictures'])} pictures."]
    return "\n".join([*lines, *(f"{reason}: {count}" for reason, count in sorted(reasons.items()))])


def notify_once(s3: Any, bucket: str, day: date, *, conn_id: str, to: str) -> bool:
    """Tell what the day's manifest says unless that was told before, and return whether a mail was sent.

    A mail cannot be taken back, and sending it and noting that it was sent are two steps. A crash between them sends it
    twice, under the same id; the other order would lose it. A day without a picture is nothing to write about.
    """
    content = s3.get_object(Bucket=bucket, Key=manifest_key(day))["Body"].read()
    manifest, digest = json.loads(content), hashlib.sha256(content).hexdigest()
    if not manifest["pictures"] or _told(s3, bucket, day) == digest:
        return False
    told_as = f"rockets.{day}.{digest[:16]}"
    send_mail(conn_id, to=to, subject=subject(manifest), body=body(manifest), message_id=told_as)
    s3.put_object(Bucket=bucket, Key=notified_key(day), Body=json.dumps({"manifest": digest}).encode())
    return True


def _told(s3: Any, bucket: str, day: date) -> str | None:
    try:
        found = s3.get_object(Bucket=bucket, Key=notified_key(day))
    except s3.exceptions.NoSuchKey:
        return None
    told: str = json.loads(found["Body"].read())["manifest"]
    return told
