"""Where in its file each DAG and task is made; Airflow keeps only the file.

Bridges: `airflow.sdk.DAG.__init__` and `DAG.add_task`, through which every DAG and every task passes, are wrapped while
a file is imported; the frame of that file on the stack gives the line.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any


@dataclass(frozen=True)
class Made:
    """Where a DAG was made, and what its author stated.

    Args:
        keywords: names of the arguments given.
        naive: its start date was given without a time zone.
    """

    line: int
    keywords: tuple[str, ...] = ()
    naive: bool = False


@dataclass
class Lines:
    """The places of all DAGs and tasks made while `of` was open, by identity."""

    dags: dict[int, Made] = field(default_factory=dict)
    tasks: dict[int, int] = field(default_factory=dict)

    @contextmanager
    def of(self, path: str) -> Iterator[None]:
        """Note the lines of `path` at which DAGs and tasks are made."""
        from airflow.sdk import DAG

        make, add = DAG.__init__, DAG.add_task

        @functools.wraps(make)
        def noted_make(dag: Any, *args: Any, **kwargs: Any) -> None:
            start = kwargs.get("start_date") or (kwargs.get("default_args") or {}).get("start_date")
            naive = start is not None and getattr(start, "tzinfo", True) is None
            self.dags[id(dag)] = Made(line_in(path), tuple(kwargs), naive)
            make(dag, *args, **kwargs)

        @functools.wraps(add)
        def noted_add(dag: Any, task: Any) -> None:
            self.tasks.setdefault(id(task), line_in(path))
            add(dag, task)

        _replace(DAG, noted_make, noted_add)
        try:
            yield
        finally:
            _replace(DAG, make, add)


def _replace(cls: Any, make: Callable[..., None], add: Callable[..., None]) -> None:
    cls.__init__, cls.add_task = make, add


def line_in(path: str) -> int:
    """Return the line that is being executed in the file at `path`; 0 when it is not on the stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == path:
            return frame.f_lineno
        frame = frame.f_back
    return 0
