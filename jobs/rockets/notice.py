"""Tells by mail what a day's manifest says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import date
from typing import Any

from jobs.common.mail import Mail
from jobs.rockets.contract import manifest_key


def notice(s3: Any, bucket: str, day: date, *, to: str) -> Mail | None:
    """Return the mail about the day's manifest, or None for a day without a picture: that is nothing to write about."""
    content = s3.get_object(Bucket=bucket, Key=manifest_key(day))["Body"].read()
    manifest = json.loads(content)
    pictures, problems = manifest["pictures"], manifest["problems"]
    if not pictures:
        return None
    reasons = Counter(problem["reason"] for problem in problems)
    lines = [f"{len(pictures) + len(problems)} launches, {len(pictures)} pictures."]
    lines += [f"{reason}: {count}" for reason, count in sorted(reasons.items())]
    return Mail(
        to=to,
        subject=f"Rocket launches of {day}: {len(pictures)} pictures",
        body="\n".join(lines),
        about=hashlib.sha256(content).hexdigest(),
    )
