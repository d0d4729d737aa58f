"""Reaches the container engine, and turns its errors into one line with a next step."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.engines.images import reason
from harness.errors import ServiceError, Unreachable

if TYPE_CHECKING:
    import docker

#: seconds for one request to the engine; a container's creation on a busy disk takes longest
TIMEOUT = 60

_WITHOUT = "or use `engine: embedded`, which needs no containers"


def connect(timeout: int = TIMEOUT) -> docker.DockerClient:
    """Return a client of the engine that DOCKER_HOST, Docker's context, or the default socket names.

    Raises:
        Unreachable: nothing answers there, or this user may not use it; with what to do.
    """
    try:
        from docker.errors import DockerException
        from requests.exceptions import RequestException
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.docker_client import DockerClient
    except ModuleNotFoundError as missing:
        raise ServiceError(
            f"the package {missing.name} is not installed", hint=f"pip install 'dtap-harness[containers]', {_WITHOUT}"
        ) from missing
    # its reaper is a container that must be pulled, and ends things by a session of its own; ours knows the session
    testcontainers_config.ryuk_disabled = True
    try:
        client: docker.DockerClient = DockerClient(timeout=timeout).client
        client.ping()
    except (DockerException, RequestException) as error:
        raise _unreachable(error) from error
    return client


def _unreachable(error: Exception) -> ServiceError:
    declared = os.environ.get("DOCKER_HOST")
    where = f"DOCKER_HOST={declared}" if declared else "the default socket"
    seen = reason(error)
    if "Permission denied" in seen:
        return Unreachable(
            f"this user may not use the container engine at {where}",
            hint=f"add the user to the group `docker` and log in again, {_WITHOUT}",
        )
    if declared:
        return Unreachable(
            f"no container engine answers at {where}: {_short(seen)}", hint=f"correct or unset DOCKER_HOST, {_WITHOUT}"
        )
    return Unreachable(
        f"no container engine answers at {where}: {_short(seen)}", hint=f"start Docker or Podman, {_WITHOUT}"
    )


def _short(seen: str) -> str:
    """Cut what requests and urllib3 wrap around the one thing that matters."""
    for telling in ("No such file or directory", "Connection refused", "timed out", "Name or service not known"):
        if telling in seen:
            return telling
    return seen[:200]


def explain(error: Exception, what: str) -> ServiceError:
    """Return the ServiceError for a request that the engine refused.

    Args:
        error: as docker's client raised it.
        what: was tried.
    """
    seen = reason(error)
    lower = seen.lower()
    hint = "the engine's own words say why; its log says more"
    if "no space left" in lower:
        hint = "the engine's disk is full: free some (`docker system df` shows by what it is used), or move its data"
    elif "address pool" in lower:
        hint = "too many networks: remove unused ones with `docker network prune`, or give the engine more addresses"
    elif port_taken(error):
        hint = "no free port was found for it; see what listens with `ss -ltn`, or stop other sessions"
    elif "timed out" in lower:
        hint = "the engine does not answer in time; see whether the machine is overloaded, or restart the engine"
    return ServiceError(f"{what} failed: {seen}", engine="container", hint=hint)


def port_taken(error: Exception) -> bool:
    """Tell whether a container was refused because another process took its port meanwhile."""
    lower = reason(error).lower()
    return any(
        words in lower for words in ("port is already allocated", "address already in use", "ports are not available")
    )
