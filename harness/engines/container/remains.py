"""Removes what a session left in the container engine: by the session's id, and nothing else."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from harness.engines.container.base import SESSION_LABEL, remove_container
from harness.errors import ServiceError

DEFAULT_SOCKET = Path("/var/run/docker.sock")

#: Seconds without anything new. An engine goes on creating what a client asked for that is no longer alive.
QUIET = 1.0


def remove(session: str, within: float = 30.0) -> int:
    """Remove all containers, networks and volumes that carry the session's label, and return how many there were.

    Where no engine can be reached there is nothing to remove, and nothing is raised.

    Args:
        session: the session's id.
        within: seconds for all of it.
    """
    if not (os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET.exists()):
        return 0
    from harness.engines.container.docker_engine import connect

    try:
        client = connect(timeout=int(within))
    except ServiceError:
        return 0
    removed = 0
    until = time.monotonic() + within
    quiet_since = time.monotonic()
    with contextlib.closing(client):
        while time.monotonic() < until:
            found = _remove_once(client, session)
            removed += found
            if found:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET:
                break
            time.sleep(0.1)
    return removed


def _remove_once(client: object, session: str) -> int:
    from docker.errors import APIError, DockerException, NotFound
    from requests.exceptions import RequestException

    found = 0
    label = {"label": f"{SESSION_LABEL}={session}"}
    with contextlib.suppress(DockerException, RequestException):
        for container in client.containers.list(all=True, filters=label, ignore_removed=True):  # type: ignore[attr-defined]
            found += 1
            with contextlib.suppress(NotFound):
                remove_container(container)
        for kind in (client.networks, client.volumes):  # type: ignore[attr-defined]
            for thing in kind.list(filters=label):
                found += 1
                # still in use by a container that is on its way: the next look takes it
                with contextlib.suppress(APIError):
                    thing.remove()
    return found
