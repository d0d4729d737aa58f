"""What every role offers to a client, whatever engine serves it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from harness.environment.spec import ConnectionSpec, ServiceSpec
from harness.models.service import Connection, Endpoint, Slice
from harness.models.snapshot import Dataset

S = TypeVar("S", bound=ServiceSpec)


class Service(ABC, Generic[S]):
    """A client's view of one service: an address, and the slice of it that belongs to one namespace.

    Objects are cheap and hold no connection open unless `client` was asked for. They are rebuilt in every process from
    plain data, so that the service itself can live behind a socket.

    Args:
        name: its name in the environment.
        spec: what the environment says about it.
        endpoint: where it is.
        slice: the namespace's part of it; by default all of it, under its logical names.
    """

    role: ClassVar[str]
    spec_type: ClassVar[type[ServiceSpec]]
    #: engine name -> "module:Class" of the Engine; imported when it is first started
    engines: ClassVar[Mapping[str, str]]
    #: roles whose services it is wired to: a further instance of it comes with further instances of those
    linked: ClassVar[tuple[str, ...]] = ()
    #: things in it are found by names, so that a namespace may need a server of its own: it has `empty` and `outside`
    named: ClassVar[bool] = False

    def __init__(self, name: str, spec: S, endpoint: Endpoint, slice: Slice | None = None) -> None:
        self.name = name
        self.spec = spec
        self.endpoint = endpoint
        self.slice = slice or self.whole()

    @abstractmethod
    def whole(self) -> Slice:
        """Return the slice that maps every declared name to itself."""

    @abstractmethod
    def ping(self) -> None:
        """Do one real round trip (a query, a put and get, a produce and consume); raise whatever goes wrong."""

    def wire(self, peers: Mapping[str, Service[Any]]) -> None:
        """Tell the running service where the others are; called once, when all are ready."""

    def prepare(self) -> None:
        """Create what the environment declares (databases, buckets, topics) under its own names; idempotent."""

    @abstractmethod
    def open(self, prefix: str) -> Slice:
        """Make an isolated slice whose physical names carry `prefix` (at most 12 letters and digits), and return it."""

    @abstractmethod
    def close(self) -> None:
        """Remove this slice's things from the store; idempotent, and safe when someone is still connected."""

    def empty(self) -> None:
        """Remove everything that a namespace left in a server that it had to itself; raise when that cannot be had."""
        raise NotImplementedError(f"the role {self.role} has no servers of one's own")

    def outside(self) -> dict[str, str]:
        """Return what the server holds beside all namespaces: `bucket 'landing'` -> something that every write changes.

        Only a slice that shares its server has anything outside.
        """
        return {}

    @property
    @abstractmethod
    def client(self) -> Any:
        """The field's own client, connected to this slice; made at first use, and again after a fork."""

    @abstractmethod
    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return the Airflow connection for a `connections:` entry that names this service."""

    def environ(self) -> dict[str, str]:
        """Return the variables by which the field's own tools find it (PGHOST, AWS_ENDPOINT_URL, ...)."""
        return {}

    @property
    def readable(self) -> bool:
        """Whether `snapshot` can show what is in this slice; what cannot be read is not judged."""
        return True

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        """Return the content of this slice; a role without content has none.

        Args:
            volatile: dataset name -> columns to leave out of the fingerprints.
        """
        return []

    def attach_hint(self) -> str | None:
        """Return the command by which a person looks into this slice (psql ..., aws ... s3 ls)."""
        return None

    def release(self) -> None:
        """Close the client that this object opened, if any."""
