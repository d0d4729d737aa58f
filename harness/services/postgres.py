"""The role `postgres`: databases of one namespace on a PostgreSQL server."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

from harness.environment.spec import ConnectionSpec, PostgresSpec, ServiceSpec
from harness.errors import ConfigError, ServiceError
from harness.models.service import Connection, Slice
from harness.models.snapshot import Dataset
from harness.services.base import Service

if TYPE_CHECKING:
    import psycopg

#: every server has it; databases are created and dropped from there
ADMIN_DATABASE = "postgres"

#: seconds until a connection is made; a ping is asked again, the others are not, and a busy machine may halt a while
_PING_WITHIN, _CONNECT_WITHIN = 5, 60

#: longest name of a database in bytes (PostgreSQL manual, 4.1.1); a longer one would be cut silently
_LONGEST_NAME = 63

#: what a namespace's databases begin with
_RENAMED = re.compile(r"n\d+_")

_OWN_SCHEMAS = """SELECT nspname FROM pg_namespace WHERE nspname = 'public'
    OR (nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema')"""
_OWN_ROLES = "SELECT rolname FROM pg_roles WHERE rolname <> %s AND rolname NOT LIKE 'pg\\_%%'"
_WRITTEN = "SELECT datname, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname IS NOT NULL"


class Postgres(Service[PostgresSpec]):
    """A server; `client` is a psycopg connection (autocommit) to the slice's first database."""

    role: ClassVar[str] = "postgres"
    spec_type: ClassVar[type[ServiceSpec]] = PostgresSpec
    engines: ClassVar[Mapping[str, str]] = {
        "embedded": "harness.engines.embedded.postgres:EmbeddedPostgres",
        "container": "harness.engines.container.postgres:ContainerPostgres",
    }

    named: ClassVar[bool] = True

    _clients: dict[tuple[int, str], psycopg.Connection[Any]] | None = None

    def whole(self) -> Slice:
        return Slice(names={"database": {name: name for name in self.spec.databases}})

    def ping(self) -> None:
        """Log in and run a query."""
        # others' servers may let us into the declared databases only
        declared = self.spec.databases if self.endpoint.engine == "external" else []
        with closing(self._connect(next(iter(declared), ADMIN_DATABASE), within=_PING_WITHIN)) as connection:
            connection.execute("SELECT 1").fetchone()

    def prepare(self) -> None:
        self._create(self.slice)

    def open(self, prefix: str) -> Slice:
        """Create one database for each declared one, as a clone of `template1`, to which nobody is ever connected."""
        slice = Slice(prefix=prefix, names={"database": {name: f"{prefix}_{name}" for name in self.spec.databases}})
        self._create(slice)
        return slice

    def close(self) -> None:
        """Drop the slice's databases, their sessions and their replication slots."""
        self.release()
        if not self.slice.prefix:
            return
        with closing(self._connect_or_explain(ADMIN_DATABASE)) as admin:
            for name in self.slice.names["database"].values():
                drop_database(admin, name)

    def empty(self) -> None:
        """Drop all databases and roles that the server did not come with, and what is in its own database."""
        from psycopg import sql

        self.release()
        with closing(self._connect_or_explain(ADMIN_DATABASE)) as admin:
            for name in self._all(admin):
                drop_database(admin, name)
            # roles that own something here, and tables of a connection without a database, are in its own schemas
            for (name,) in admin.execute(_OWN_SCHEMAS).fetchall():
                admin.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            admin.execute("CREATE SCHEMA public")
            for (name,) in admin.execute(_OWN_ROLES, [self.endpoint.user]).fetchall():
                admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(name)))
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    def outside(self) -> dict[str, str]:
        """Return the databases of no namespace, with how many rows were written to each."""
        if self.slice.alone or not self.slice.prefix:
            return {}
        with closing(self._connect_or_explain(ADMIN_DATABASE)) as admin:
            written = dict(admin.execute(_WRITTEN).fetchall())
            names = [name for name in self._all(admin) if not _RENAMED.match(name)]
        return {f"database {name!r}": str(written.get(name, 0)) for name in names}

    @staticmethod
    def _all(admin: psycopg.Connection[Any]) -> list[str]:
        found = admin.execute("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'")
        return [name for (name,) in found.fetchall()]

    @property
    def client(self) -> psycopg.Connection[Any]:
        """Return the connection to the first database; to the server's own when the environment declares none."""
        return self.client_for(next(iter(self.spec.databases), None))

    def client_for(self, database: str | None) -> psycopg.Connection[Any]:
        """Return this object's connection (autocommit) to a database by its logical name.

        Raises:
            ConfigError: the environment does not declare it.
            ServiceError: the server cannot be reached.
        """
        physical = ADMIN_DATABASE if database is None else self.physical(database)
        if self._clients is None:
            self._clients = {}
        # A connection of the parent process must neither be used nor closed by a child: the key tells them apart.
        key = (os.getpid(), physical)
        known = self._clients.get(key)
        if known is None or known.closed:
            known = self._clients[key] = self._connect_or_explain(physical)
        return known

    def physical(self, database: str) -> str:
        """Return what a declared database is called on the server; raises ConfigError for one that is not declared."""
        try:
            return self.slice.physical("database", database)
        except KeyError:
            raise ConfigError(
                f"services.{self.name} declares no database {database!r}",
                hint=f"it declares: {', '.join(self.spec.databases) or 'none'}",
            ) from None

    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return a `postgres` connection; its schema is the database, as the postgres provider reads it."""
        database = spec.database or next(iter(self.spec.databases), None)
        return Connection(
            conn_type="postgres",
            host=self.endpoint.host,
            port=self.endpoint.port,
            login=self.endpoint.user,
            password=self.endpoint.password,
            schema=ADMIN_DATABASE if database is None else self.physical(database),
            extra=dict(spec.extra),
        )

    def environ(self) -> dict[str, str]:
        """Return libpq's variables for the first database (PostgreSQL manual, 32.15)."""
        first = next(iter(self.slice.names["database"].values()), ADMIN_DATABASE)
        return {
            "PGHOST": self.endpoint.host,
            "PGPORT": str(self.endpoint.port),
            "PGUSER": self.endpoint.user or "",
            "PGPASSWORD": self.endpoint.password or "",
            "PGDATABASE": first,
        }

    def dsn(self, database: str) -> str:
        """Return libpq's connection string, for a connection of one's own; the password is in it."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(**self._address(self.physical(database)))

    def jdbc_url(self, database: str) -> str:
        """Return what Spark's JDBC source takes as `url`; user and password are options of their own."""
        return f"jdbc:postgresql://{self.endpoint.address}/{self.physical(database)}"

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        """Return one dataset per table, partitioned tables as one, each database in one consistent view.

        Args:
            volatile: `database.schema.table` -> columns to leave out.
        """
        from harness.services._tables import read_tables

        found: list[Dataset] = []
        for logical, physical in self._databases().items():
            with closing(self._connect_or_explain(physical)) as connection:
                found += read_tables(connection, self.name, logical, volatile or {})
        return found

    def _databases(self) -> dict[str, str]:
        """Map logical to physical names: the declared databases, and all others of a server of one's own."""
        found = dict(self.slice.names["database"])
        if self.slice.alone:
            with closing(self._connect_or_explain(ADMIN_DATABASE)) as admin:
                found |= {name: name for name in self._all(admin)}
        return found

    def attach_hint(self) -> str | None:
        return " ".join(
            [f"{name}={shlex.quote(value)}" for name, value in self.environ().items() if name != "PGUSER"]
            + ["psql", "--username", self.endpoint.user or ""]
        )

    def release(self) -> None:
        for (pid, _), connection in (self._clients or {}).items():
            if pid == os.getpid():
                connection.close()
        self._clients = None

    def _create(self, slice: Slice) -> None:
        from psycopg import errors, sql

        with closing(self._connect_or_explain(ADMIN_DATABASE)) as admin:
            for name in slice.names["database"].values():
                if len(name.encode()) > _LONGEST_NAME:
                    raise ConfigError(
                        f"services.{self.name}.databases: {name!r} is longer than PostgreSQL's {_LONGEST_NAME} bytes",
                        hint="a namespace puts up to 13 characters in front of the declared name; shorten that",
                    )
                try:
                    admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template1").format(sql.Identifier(name)))
                except errors.DuplicateDatabase:
                    continue

    def _connect_or_explain(self, physical: str) -> psycopg.Connection[Any]:
        import psycopg

        try:
            return self._connect(physical)
        except psycopg.OperationalError as error:
            raise ServiceError(
                f"cannot open the database {physical!r}: {error}", role=self.name, engine=self.endpoint.engine
            ) from error

    def _connect(self, physical: str, within: int = _CONNECT_WITHIN) -> psycopg.Connection[Any]:
        import psycopg

        return psycopg.connect(
            **self._address(physical), autocommit=True, connect_timeout=within, application_name="harness"
        )

    def _address(self, physical: str) -> dict[str, Any]:
        at = self.endpoint
        return {"host": at.host, "port": at.port, "user": at.user, "password": at.password, "dbname": physical}


def drop_database(admin: psycopg.Connection[Any], name: str) -> None:
    """Drop a database whoever is connected to it, with the replication slots that would forbid it; idempotent."""
    from psycopg import sql

    slots = admin.execute("SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = %s", [name])
    for slot, pid in slots.fetchall():
        if pid is not None:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        admin.execute("SELECT pg_drop_replication_slot(%s)", [slot])
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
