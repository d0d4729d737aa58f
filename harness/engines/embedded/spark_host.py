"""The process that owns the resident Spark driver, and lets clients in: `python -m ...spark_host ORDER.json`.

Every client gets a Py4J server of its own, and a session of its own behind it. With one server for all, the
foreachBatch of one client would be called back in another's process.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.engines.embedded.spark_jvm import gateway_address, start_driver
from harness.engines.embedded.spark_wire import Reply, receive, send

#: seconds until the JVM can be reached, and until a request must find the context made
JVM_WITHIN, READY_WITHIN = 60.0, 120.0


class Host:
    """The driver, and what clients may ask of it.

    Args:
        order: what the engine wrote: port, token, argv, jars, conf, folder, cwd, warehouse.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._folder = Path(order["folder"])
        self._ready = threading.Event()
        self._healthy = threading.Lock()
        self._jvm: Any = None
        self._session: Any = None

    def start(self) -> None:
        """Start the JVM and make the context; the process ends with the JVM."""
        process = start_driver(self._order["argv"], self._folder, Path(self._order["cwd"]))
        threading.Thread(target=_end_with, args=(process,), daemon=True).start()
        from py4j.clientserver import ClientServer, JavaParameters, PythonParameters

        port, secret = gateway_address(process, self._folder, JVM_WITHIN)
        gateway = ClientServer(
            JavaParameters(port=port, auth_token=secret, auto_convert=True), PythonParameters(port=0, eager_load=False)
        )
        self._jvm = gateway.jvm
        builder = self._jvm.org.apache.spark.sql.classic.SparkSession.builder()
        for key, value in self._order["conf"].items():
            builder = builder.config(key, value)
        self._session = builder.getOrCreate()
        _remove_artifacts(Path(self._order["cwd"], str(self._session.artifactManager().artifactPath())))
        self._ready.set()

    def serve(self, listener: socket.socket) -> None:
        """Answer clients, each on a thread of its own, for ever."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        verbs: dict[str, Callable[[Reply], Reply]] = {
            "health": lambda request: self._health(),
            "hadoop": self._hadoop,
            "create": self._create,
            "drop": self._drop,
            "databases": lambda request: {"databases": self._databases()},
            "tables": lambda request: {"tables": self._tables(request["databases"])},
            "export": self._export,
            "empty": lambda request: self._empty(),
        }
        client: Client | None = None
        with connection, connection.makefile("rwb") as file:
            try:
                while (request := receive(file)) is not None:
                    if not secrets.compare_digest(str(request.get("token", "")), self._order["token"]):
                        send(file, {"error": "wrong token"})
                        return
                    if request["do"] == "attach" and client is None:
                        client = self._attach(request, file)
                    else:
                        _answer(file, lambda request=request: verbs[request["do"]](request))  # type: ignore[misc]
            except OSError:
                return  # the client is gone; what it had is cleaned up below
            finally:
                if client is not None:
                    client.close()

    def _attach(self, request: Reply, file: Any) -> Client | None:
        made: list[Client] = []

        def attach() -> Reply:
            self._wait()
            made.append(Client(self._jvm, self._session, request["database"]))
            return {**made[0].address(), "jars": self._order["jars"]}

        _answer(file, attach)
        return made[0] if made else None

    def _health(self) -> Reply:
        """Count a Delta table, which is written at the first time: the slowest first step of any job."""
        self._wait()
        with self._healthy:
            if "spark.sql.extensions" not in self._order["conf"]:
                return {"rows": self._session.range(1).count()}
            table = self._folder / "health"
            if not (table / "_delta_log").exists():
                self._session.range(1).write().format("delta").mode("overwrite").save(str(table))
            return {"rows": self._session.read().format("delta").load(str(table)).count()}

    def _hadoop(self, request: Reply) -> Reply:
        """Set Hadoop settings on the live context; sessions read them when they next open a file system."""
        self._wait()
        hadoop = self._session.sparkContext().hadoopConfiguration()
        for bucket in request.get("close", []):
            # a file system is cached by its bucket, with the settings that it was first opened with
            place = self._jvm.java.net.URI(f"s3a://{bucket}/")
            self._jvm.org.apache.hadoop.fs.FileSystem.get(place, hadoop).close()
        for key in request.get("unset", []):
            hadoop.unset(key)
        for key, value in request["conf"].items():
            hadoop.set(key, value)
        return {}

    def _create(self, request: Reply) -> Reply:
        """Create a database in a folder of its own; `spark.sql.warehouse.dir` is one for the whole JVM."""
        self._wait()
        folder = Path(self._order["warehouse"]) / request["database"]
        folder.mkdir(exist_ok=True)
        self._session.sql(f"CREATE DATABASE IF NOT EXISTS `{request['database']}` LOCATION '{folder.as_uri()}'")
        return {"warehouse": str(folder)}

    def _drop(self, request: Reply) -> Reply:
        self._wait()
        self._session.sql(f"DROP DATABASE IF EXISTS `{request['database']}` CASCADE")
        shutil.rmtree(Path(self._order["warehouse"]) / request["database"], ignore_errors=True)
        return {}

    def _databases(self) -> list[str]:
        self._wait()
        rows = self._session.sql("SHOW DATABASES").collectAsList()
        return [str(rows.get(at).getString(0)) for at in range(rows.size())]

    def _tables(self, databases: list[str] | None) -> list[dict[str, str]]:
        """Tell where the tables of some databases, or of all, lie; views have no content of their own."""
        self._wait()
        catalog = self._session.sharedState().externalCatalog()
        found = []
        for database in self._databases() if databases is None else databases:
            names = catalog.listTables(database)
            for at in range(names.size()):
                table = catalog.getTable(database, names.apply(at))
                if table.tableType().name() != "VIEW":
                    provider = table.provider().get() if table.provider().isDefined() else "hive"
                    place = {"provider": str(provider).lower(), "location": str(table.location().toString())}
                    found.append({"database": database, "table": names.apply(at), **place})
        return found

    def _export(self, request: Reply) -> Reply:
        self._wait()
        folder = self._folder / f"export-{secrets.token_hex(4)}"
        table = f"`{request['database']}`.`{request['table']}`"
        self._session.table(table).coalesce(1).write().parquet(folder.as_uri())
        return {"folder": str(folder)}

    def _empty(self) -> Reply:
        """Make the driver as good as new: what it knows by names and paths means something else to the next one.

        Delta and Hadoop keep tables and file systems by their paths, for the whole JVM.
        """
        self._wait()
        catalog = self._session.sharedState().externalCatalog()
        for database in self._databases():
            if database != "default":
                self._session.sql(f"DROP DATABASE IF EXISTS `{database}` CASCADE")
        tables = catalog.listTables("default")
        for at in range(tables.size()):
            catalog.dropTable("default", tables.apply(at), True, True)
        self._session.sharedState().globalTempViewManager().clear()
        self._session.sharedState().cacheManager().clearCache()
        if "spark.sql.extensions" in self._order["conf"]:
            self._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        self._jvm.org.apache.hadoop.fs.FileSystem.closeAll()
        warehouse = Path(self._order["warehouse"])
        for left in warehouse.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        return {}

    def _wait(self) -> None:
        if not self._ready.wait(READY_WITHIN):
            raise TimeoutError(f"Spark has not started after {READY_WITHIN:.0f} s")


class Client:
    """What one attached process has in the JVM: a session, and a Py4J server whose entry point is that session.

    Args:
        jvm: the host's own view of the JVM.
        session: the host's session; the client's is a new one beside it.
        database: the current database of the client's session.
    """

    def __init__(self, jvm: Any, session: Any, database: str) -> None:
        self._context = session.sparkContext()
        self._tag = f"client-{secrets.token_hex(8)}"
        self._secret = secrets.token_urlsafe(24)
        self._session = session.newSession()
        self._session.sql(f"USE `{database}`")
        # what org.apache.spark.api.python.Py4JServer does, with an entry point
        builder = jvm.py4j.ClientServer.ClientServerBuilder(self._session)
        self._server = builder.authToken(self._secret).javaPort(0).build()
        self._server.startServer()

    def address(self) -> Reply:
        """Return how the client reaches its session, and the tag under which its jobs are cancelled."""
        port = self._server.getJavaServer().getListeningPort()
        return {"port": port, "secret": self._secret, "tag": self._tag}

    def close(self) -> None:
        """Stop the client's queries, cancel its jobs, and close its server."""
        for step in (self._stop_queries, self._cancel_jobs, self._server.shutdown):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - every step must be tried; Py4J raises whatever Java threw
                print(f"cleaning up after {self._tag}: {error}", file=sys.stderr, flush=True)  # noqa: T201

    def _stop_queries(self) -> None:
        for query in self._session.streams().active():
            query.stop()

    def _cancel_jobs(self) -> None:
        self._session.interruptAll()
        self._context.cancelJobsWithTag(self._tag)


def _remove_artifacts(folder: Path) -> None:
    """Remove the folders that a session is given for added files below the working folder; adding one makes them anew.

    Spark has no setting for where they are, and a JVM that is killed leaves them behind.
    """
    for place in (folder, folder.parent, folder.parent.parent):
        with contextlib.suppress(OSError):  # not made yet, or another driver of the project has its own there
            place.rmdir()


def _answer(file: Any, work: Callable[[], Reply]) -> None:
    try:
        reply = work()
    except Exception as error:  # noqa: BLE001 - Py4J raises whatever Java threw; the client must learn of it
        reply = {"error": f"{type(error).__name__}: {str(error).strip()[:2000]}"}
    send(file, reply)


def _end_with(process: Any) -> None:
    code = process.wait()
    print(f"Spark's JVM ended with {code}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(1)


def main() -> None:
    """Run the host until it is killed, or its JVM ends."""
    order = json.loads(Path(sys.argv[1]).read_text())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = socket.create_server(("127.0.0.1", order["port"]))
    host = Host(order)
    threading.Thread(target=host.serve, args=(listener,), daemon=True).start()
    host.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
