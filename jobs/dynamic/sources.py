"""The configuration of sources: what may stand in it. A mistake ends the parsing of the DAG file, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

#: a name goes into ids of DAGs and tasks; a path into an address. Neither is ever part of a command
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]


class Source(BaseModel):
    """One entry.

    Args:
        source_name: in the ids of its DAG and tasks.
        dataset: which columns its messages have.
        kafka_topic: name of the Airflow variable that holds the topic.
        raw_delta_path: folder of its raw table, in the bucket for raw data.
        curated_delta_path: folder of its curated table, in the bucket for curated data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_name: Name
    dataset: Literal["transactions", "claims"]
    kafka_topic: Name
    raw_delta_path: Name
    curated_delta_path: Name


def read_sources(path: Path) -> list[Source]:
    """Read the configuration.

    Raises:
        FileNotFoundError: it is not there. No file is not the same as no source.
        ValueError: an entry is wrong, there is none, or two claim one name, topic or path.
    """
    entries = json.loads(path.read_text())
    sources = [Source.model_validate(entry) for entry in entries]
    if not sources:
        raise ValueError(f"{path.name} names no source")
    for field in ("source_name", "kafka_topic", "raw_delta_path", "curated_delta_path"):
        values = [getattr(source, field) for source in sources]
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise ValueError(f"{path.name}: two sources have the {field} {', '.join(twice)}")
    return sources
