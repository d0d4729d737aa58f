from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any


def note_dates(services: Mapping[str, Any], dates: list[date], data: Any) -> None:
    with (Path(os.environ["HARNESS_MARKS"]) / "seeded").open("a") as file:
        file.write(f"{[str(day) for day in dates]} {list(services)} {data.volume}\n")


def fail(services: Mapping[str, Any], dates: list[date], data: Any) -> None:
    raise ValueError("no such bucket")
