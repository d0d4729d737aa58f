"""Starts, watches and removes the containers of one service; every role's container engine is a plan for this."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.base import Place, Running
from harness.engines.container.docker_engine import TIMEOUT, explain, port_taken
from harness.engines.jars import exclusive
from harness.engines.process import tail
from harness.errors import ServiceError
from harness.models.service import Endpoint

if TYPE_CHECKING:
    import docker
    from testcontainers.core.container import DockerContainer

#: says to which session a container, network or volume belongs; the reaper goes by it and by nothing else
SESSION_LABEL = "harness.session"
SERVICE_LABEL = "harness.service"

#: a file in a session's folder: the reaper has to ask the container engine
MARKER = ".containers"

#: the share of its memory from which on a server that does not answer lacks it: it spends its time reading its own
#: program anew, page by page, and the kernel, which still finds a page to drop, does not end it
STARVED = 0.75

#: how often other ports are tried when someone else took the chosen ones
PORT_TRIES = 3

#: what the official images' entry points need to become their own user
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")


@dataclass(frozen=True)
class Plan:
    """One container.

    Args:
        image: its name; the engine holds it.
        command: empty for the image's own.
        environ: its process environment; secrets go here, where `ps` does not show them.
        publish: port in the container -> port of 127.0.0.1.
        mounts: (folder or file of this host, path in the container, `ro` or `rw`).
        tmpfs: path in the container -> options of a file system in memory.
        memory: limit, such as `512m`; nothing is swapped.
        user: `uid:gid`; the image's own by default.
        host_network: use the network of this host instead of the session's.
        options: more of docker's settings (`docker.DockerClient.containers.create`).
    """

    image: str
    command: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    publish: Mapping[int, int] = field(default_factory=dict)
    mounts: Sequence[tuple[Path, str, str]] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    memory: str = "512m"
    user: str | None = None
    host_network: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


class ContainerRunning(Running):
    """A service that is one container.

    Args:
        endpoint: where it is; its secrets are redacted in log lines.
        container: as testcontainers started it.
        memory: its limit, for the message that says that it was too low.
        log: the file into which its output is copied while it runs.
    """

    def __init__(self, endpoint: Endpoint, container: DockerContainer, memory: str, log: Path) -> None:
        self.endpoint = endpoint
        self.container = container
        self._memory = memory
        self._log = log
        log.touch(mode=0o600)
        threading.Thread(target=self._copy_log, name=f"log-{log.stem}", daemon=True).start()

    def alive(self) -> bool:
        return bool(self._state().get("Running"))

    def stop(self, within: float = 10.0) -> None:
        """Remove the container, and with the last one of its session the network; nothing in it outlives them."""
        from docker.errors import APIError, NotFound

        wrapped = self.container.get_wrapped_container()
        with contextlib.suppress(NotFound):
            remove_container(wrapped)
        client = wrapped.client
        for network in client.networks.list(filters={"label": f"{SESSION_LABEL}={self._session(wrapped)}"}):
            # others of the session may still be connected: the last one takes it along
            with contextlib.suppress(APIError):
                network.remove()

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        hide = self.endpoint.secret_values()
        try:
            text = self.container.get_wrapped_container().logs(tail=lines).decode(errors="replace")
        except (DockerException, RequestException):
            return tail(self._log, lines, hide)
        for secret in hide:
            text = text.replace(secret, "***")
        return tuple(text.splitlines()[-lines:])

    def log_path(self) -> Path | None:
        return self._log

    def failure(self) -> ServiceError | None:
        """Tell whether it lacks memory, or disk: its own log says neither, or not first."""
        state = self._state()
        common = {"role": self.endpoint.role, "engine": self.endpoint.engine, "log": self.log_tail()}
        ended = state.get("OOMKilled")
        if ended or (state.get("Running") and self._memory_in_use() > STARVED):
            what = "was ended for using more than" if ended else "gets nowhere: it has used up its"
            return ServiceError(
                f"its container {what} {self._memory} of memory",
                hint=f"raise services.*.memory of the {self.endpoint.role} service",
                **common,  # type: ignore[arg-type]
            )
        if any("no space left on device" in line.lower() for line in self.log_tail(200)):
            return ServiceError(
                "its container does not run because the engine's disk is full",
                hint="free some space; `docker system df` shows by what it is used",
                **common,  # type: ignore[arg-type]
            )
        return None

    def pids(self) -> tuple[int, ...]:
        """Return its processes, where the engine runs on this host and not in a virtual machine of its own."""
        import psutil

        pid = int(self._state().get("Pid") or 0)
        try:
            ours = pid > 0 and str(self.container.get_wrapped_container().id) in Path(f"/proc/{pid}/cgroup").read_text()
            if not ours:
                return ()
            first = psutil.Process(pid)
            return tuple(process.pid for process in (first, *first.children(recursive=True)))
        except (OSError, psutil.Error):
            return ()

    def _state(self) -> dict[str, Any]:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        wrapped = self.container.get_wrapped_container()
        try:
            wrapped.reload()
        except (DockerException, RequestException):
            return {}
        return dict(wrapped.attrs["State"])

    def _memory_in_use(self) -> float:
        """Return the share of its limit that it holds, without what the kernel can drop at once (cached files)."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        try:
            memory = self.container.get_wrapped_container().stats(stream=False).get("memory_stats", {})
        except (DockerException, RequestException):
            return 0.0
        # one name in version 2 of control groups, the other in version 1
        files = memory.get("stats", {})
        cached = files.get("inactive_file", files.get("total_inactive_file", 0))
        return float(memory.get("usage", 0) - cached) / float(memory.get("limit") or 1)

    def _session(self, wrapped: Any) -> str:
        return str(wrapped.labels[SESSION_LABEL])

    def _copy_log(self) -> None:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        with self._log.open("ab", buffering=0) as file, contextlib.suppress(DockerException, RequestException):
            for piece in self.container.get_wrapped_container().logs(stream=True, follow=True):
                file.write(piece)


def start_container(client: docker.DockerClient, place: Place, plan: Callable[[], Plan]) -> DockerContainer:
    """Start one container, and return it.

    Args:
        client: the engine.
        place: of the service.
        plan: makes the plan; it is asked again, for other ports, when someone else took the ones it chose.

    Raises:
        ServiceError: the engine refuses; nothing is left of it then.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    # from here on there may be something to remove, even if this process is killed before it knows
    (place.folder.parent / MARKER).touch()
    for left in reversed(range(PORT_TRIES)):
        made = plan()
        container = _container(made, place, None if made.host_network else network_of(client, place))
        try:
            return container.start()
        except (DockerException, RequestException) as error:
            # testcontainers creates first and starts then: what could not be started is still there
            with contextlib.suppress(DockerException, RequestException):
                container.stop()
            if not (left and port_taken(error)):
                raise explain(error, f"starting a container of {made.image}") from error
    raise AssertionError("the last try returns or raises")


def network_of(client: docker.DockerClient, place: Place) -> Any:
    """Return the session's private network; the first service that asks makes it.

    Raises:
        ServiceError: the engine refuses to make one.
    """
    from docker.errors import DockerException

    name = f"harness-{place.session}"
    # services start at once, and an engine accepts two networks of one name
    with exclusive(place.folder.parent / ".network.lock", deadline=TIMEOUT):
        try:
            found = client.networks.list(names=[name])
            return found[0] if found else client.networks.create(name, labels={SESSION_LABEL: place.session})
        except DockerException as error:
            raise explain(error, "making the session's network") from error


def remove_container(container: Any) -> None:
    """Remove a container with its anonymous volumes, running or not; one that is being removed is waited for.

    Raises:
        docker.errors.NotFound: it is gone.
    """
    from docker.errors import APIError

    try:
        container.remove(v=True, force=True)
    except APIError as error:
        # 409: another process is removing it, for example the reaper
        if error.status_code != 409:
            raise
        container.wait(condition="removed", timeout=TIMEOUT)


def _container(plan: Plan, place: Place, network: Any) -> DockerContainer:
    from testcontainers.core.container import DockerContainer

    service = place.folder.name
    where: dict[str, Any] = {"network_mode": "host"}
    if network is not None:
        # under its service's name it is found by the others
        alias = network.client.api.create_endpoint_config(aliases=[service])
        where = {"network": network.name, "networking_config": {network.name: alias}, "hostname": service}
    container = DockerContainer(
        plan.image,
        docker_client_kw={"timeout": TIMEOUT},
        env=dict(plan.environ),
        volumes=[(str(host), inside, mode) for host, inside, mode in plan.mounts],
    )
    container.with_kwargs(
        labels={SESSION_LABEL: place.session, SERVICE_LABEL: service},
        mem_limit=plan.memory,
        memswap_limit=plan.memory,
        cap_drop=["ALL"],
        cap_add=list(CAPABILITIES),
        security_opt=["no-new-privileges"],
        pids_limit=4096,
        **({"user": plan.user} if plan.user else {}),
        **where,
        **plan.options,
    )
    for path, options in plan.tmpfs.items():
        container.with_tmpfs_mount(path, options)
    if plan.command:
        container.with_command(list(plan.command))
    for inside, outside in plan.publish.items():
        # with_bind_ports() would listen on every interface of the host
        container.ports[f"{inside}/tcp"] = ("127.0.0.1", outside)
    return container
