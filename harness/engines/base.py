"""The seam between a role and the way it is started: `Engine.start(...) -> Running`, `Running.stop()`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from harness.environment.spec import ServiceSpec
from harness.errors import ServiceError
from harness.models.service import Endpoint


@dataclass(frozen=True)
class Place:
    """Where an engine may work.

    Args:
        folder: this service's own empty folder; gone after the session. Data, configuration and logs go there.
        cache: the user's cache folder, shared by all sessions (jars, archives); fill it atomically.
        project: root of the project whose environment it is; code of the user's (ASGI apps) is imported from there.
        session: id of the session, for labels and records.
        report: takes one short line about what is going on (`fetching 63 jars`).
        environ: variables for the processes that it starts on this host.
    """

    folder: Path
    cache: Path
    project: Path
    session: str
    report: Callable[[str], None] = lambda line: None
    environ: Mapping[str, str] = field(default_factory=dict)


class Running(ABC):
    """A service that was started; it is not known to be ready until its role's round trip succeeds."""

    endpoint: Endpoint

    @abstractmethod
    def alive(self) -> bool:
        """Tell whether its process still runs."""

    @abstractmethod
    def stop(self, within: float = 10.0) -> None:
        """End it and all that it started, politely first; after `within` seconds by force. Idempotent."""

    @abstractmethod
    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return its last log lines, oldest first, secrets redacted."""

    def log_path(self) -> Path | None:
        """Return the file that `harness logs` shows, if there is one."""
        return None

    def failure(self) -> ServiceError | None:
        """Return why it ended or does not answer, where that is known: better than its log."""
        return None

    def pids(self) -> tuple[int, ...]:
        """Return the process ids that it owns on this host."""
        return ()


class Engine(ABC):
    """One way to serve one role.

    `fidelity` states what this way cannot show, for example `signatures: a wrong secret is accepted`; each entry
    is `feature: limit`, and a test that needs the feature is skipped with the text.
    """

    name: ClassVar[str]
    fidelity: ClassVar[tuple[str, ...]] = ()

    def limit(self, feature: str) -> str | None:
        """Return what `fidelity` says about a feature; None when this way shows it."""
        return next((text for text in self.fidelity if text.partition(":")[0] == feature), None)

    @abstractmethod
    def start(self, spec: ServiceSpec, place: Place) -> Running:
        """Start the service and return at once; readiness is the role's business.

        Raises:
            ServiceError: a prerequisite is missing, or the process ended at once; with the log's tail and a hint.
        """
