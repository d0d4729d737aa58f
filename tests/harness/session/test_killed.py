"""What kill -9 leaves, at moments that nobody chose: while services start, while a task runs, or in between."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.engines.container.docker_engine import connect
from harness.engines.images import holds, recipe_for
from harness.errors import ServiceError
from tests.containers.test_remains import things_of
from tests.harness.session.killing import BLOCKS, remains, running, strike, write_project
from tests.patience import eventually

TIMES = 20
#: of them, those of every run of the suite: all victims twice, from the first moments to the last ones
OFTEN = (1, 4, 7, 10, 13, 14, 16, 19)
#: seconds between the first moment and the last one; by then the task sleeps
SPAN = 8.0

#: a daemon that dies alone is started again by its client
VICTIMS = [["client"], ["client", "daemon"], ["client", "s3"], ["client", "postgres"]]


@pytest.fixture(scope="module")
def docker_client() -> Iterator[Any]:
    """The container engine; None where none answers, or where it has no image of Postgres."""
    try:
        client = connect()
    except ServiceError:
        yield None
        return
    with closing(client):
        yield client if holds(client, recipe_for("postgres").tag) else None


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=() if n in OFTEN else pytest.mark.full) for n in range(TIMES)]
)
def test_kill_9_at_a_random_moment_leaves_nothing(number: int, docker_client: Any, tmp_path: Path) -> None:
    postgres = "{engine: container, databases: [warehouse]}" if docker_client else BLOCKS["postgres"]
    project = write_project(tmp_path, {"postgres": postgres, "s3": BLOCKS["s3"]})
    moment = (number + random.random()) * SPAN / TIMES
    victims = VICTIMS[number % len(VICTIMS)]
    sessions: set[str] = set()
    with running(project):
        time.sleep(moment)
        strike(project, victims)
        clean = eventually(lambda: not left_by(project, docker_client, sessions))
    left = "\n".join(left_by(project, docker_client, sessions))
    assert clean, f"{moment:.2f} s, kill -9 of {victims}:\n{left}"


def left_by(project: Path, docker_client: Any, sessions: set[str]) -> list[str]:
    """Name every process, folder, container, network and volume that is there; `sessions` collects who had them."""
    sessions |= {path.name for path in (project / "runtime").iterdir() if path.suffix != ".lock"}
    found = remains(project)
    for session in sessions if docker_client else ():
        found += [thing.name for thing in things_of(docker_client, session)]
    return found
