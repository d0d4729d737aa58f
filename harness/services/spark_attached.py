"""Attaches this process to the resident Spark: pyspark's own classes over a Py4J server of our own.

Imports pyspark, so import it inside functions only. pyspark keeps one context per process in class attributes; that
context, when it is ours, is the only state there is.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

from py4j.clientserver import ClientServer, JavaParameters, PythonParameters
from py4j.java_gateway import java_import
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf
from pyspark.core.context import SparkContext
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import SparkSession
from pyspark.sql.context import SQLContext
from pyspark.sql.types import NumpyArrayConverter, NumpyScalarConverter

from harness.engines.embedded.spark_wire import HostAddress, Line
from harness.errors import ConfigError

# at INFO, which Airflow sets for all loggers, it tells of every connection that ends
logging.getLogger("py4j.clientserver").setLevel(logging.WARNING)

#: what pyspark.java_gateway.launch_gateway imports into a gateway's view
_IMPORTS = (
    "org.apache.spark.SparkConf",
    "org.apache.spark.api.java.*",
    "org.apache.spark.api.python.*",
    "org.apache.spark.ml.python.*",
    "org.apache.spark.mllib.api.python.*",
    "org.apache.spark.resource.*",
    "org.apache.spark.sql.Encoders",
    "org.apache.spark.sql.OnSuccessCall",
    "org.apache.spark.sql.functions",
    "org.apache.spark.sql.classic.*",
    "org.apache.spark.sql.api.python.*",
    "org.apache.spark.sql.hive.*",
    "scala.Tuple2",
)

#: the jars that people ask for by name; the others come along
_TELLING = ("delta-spark", "spark-", "hadoop", "postgresql")

#: settings that mean something else, or nothing, in a driver that runs already
_IGNORED = ("spark.app.id", "spark.submit.deployMode")

#: what an error of the driver is asked for
_SAYINGS = ("__str__", "getCondition", "getMessage", "getMessageParameters", "getSqlState")


class AttachedContext(SparkContext):  # type: ignore[misc]
    """This process's view of the resident driver's context; `stop()` ends the view, not the driver."""

    harness_address: HostAddress
    harness_line: Line
    harness_pid: int
    harness_jars: tuple[str, ...]
    harness_own: dict[str, str]
    harness_sessions: dict[str, AttachedSession]

    def stop(self) -> None:
        """Hang up: the host stops this client's queries, cancels its jobs, and closes its Py4J server."""
        if getattr(self, "_jsc", None) is None:
            return
        _write_down(sys.exception())
        self._jsc = None
        # socketserver takes up to half a second to notice that it should end: nobody has to wait for that
        threading.Thread(target=self._accumulatorServer.shutdown, daemon=True).start()
        gateway = self._gateway
        _forget()
        self.harness_line.close()
        gateway.shutdown_callback_server()
        gateway.close()

    def getConf(self) -> SparkConf:
        """Return the driver's settings, with those that this client gave itself."""
        return super().getConf().setAll(list(self.harness_own.items()))

    def cancelAllJobs(self) -> None:
        """Cancel the jobs of this client; those of the others are none of its business."""
        for session in self.harness_sessions.values():
            session.interruptAll()


class AttachedSession(SparkSession):  # type: ignore[misc]
    """A session of this client in the resident driver."""

    def __init__(self, context: SparkContext, session: Any, options: Mapping[str, Any] | None = None) -> None:
        self._sc = context
        # Told beforehand, or SparkSession.__init__ makes this session the default one of the whole JVM.
        if SparkSession._should_update_active_session():
            SparkSession._instantiatedSession = self
        super().__init__(context, session, dict(options or {}))

    def activate(self) -> None:
        """Make it the one that a plain `getOrCreate()` returns in this process."""
        SparkSession._instantiatedSession = self
        SparkSession._activeSession = self
        SparkSession._get_j_spark_session_class(self._jvm).setActiveSession(self._jsparkSession)

    def stop(self) -> None:
        """End all sessions of this process, as pyspark's own `stop()` does, and leave the driver running."""
        self._sc.stop()


def attached_session(address: HostAddress) -> AttachedSession:
    """Return this process's session in the address's database; attach when it has not, or not since a fork.

    A process has one Spark context (pyspark's own limit): attaching to another driver ends the sessions in the former.

    Raises:
        ServiceError: the host does not answer, or refuses.
        ConfigError: this process runs a Spark of its own already.
    """
    context = _context_of_this_process()
    if context is not None and not _same_driver(context.harness_address, address):
        context.stop()
        context = None
    if context is None:
        context = _attach(address)
    session = context.harness_sessions.get(address.database)
    if session is None:
        first = next(iter(context.harness_sessions.values()))
        session = AttachedSession(context, first._jsparkSession.newSession())
        session.sql(f"USE `{address.database}`")
        context.harness_sessions[address.database] = session
    session.activate()
    return session


def release_session(address: HostAddress) -> None:
    """Stop the queries of one session and forget it; with the last session of this process, hang up."""
    context = _context_of_this_process()
    if context is None or not _same_driver(context.harness_address, address):
        return
    session = context.harness_sessions.pop(address.database, None)
    if not context.harness_sessions:
        context.stop()
    elif session is not None:
        for query in session.streams.active:
            query.stop()
        next(iter(context.harness_sessions.values())).activate()


def apply_options(session: SparkSession, options: Mapping[str, Any]) -> None:
    """Set a builder's options on a session of the resident driver.

    Raises:
        ConfigError: one of them is static and differs from the driver's: it cannot be had in this JVM.
    """
    context = session.sparkContext
    driver = dict(SparkContext.getConf(context).getAll())
    for key, value in options.items():
        if key == "spark.app.name":
            context.appName = context.harness_own[key] = str(value)
        elif key in _IGNORED or driver.get(key) == str(value):
            continue
        elif key == "spark.master":
            _require_master(str(value), context.master)
        elif key == "spark.jars.packages":
            _require_packages(str(value), context.harness_jars)
        elif key.startswith("spark.executorEnv."):
            context.environment[key.removeprefix("spark.executorEnv.")] = str(value)
        elif key.startswith("spark.hadoop."):
            # a session's settings overlay the Hadoop configuration, under their bare names
            session.conf.set(key.removeprefix("spark.hadoop."), str(value))
        else:
            _set(session, key, str(value))
            context.harness_own[key] = str(value)


def require_jars(wanted: Sequence[str], present: Sequence[str]) -> None:
    """Accept jars that the driver has under the same file name.

    Raises:
        ConfigError: it lacks one; a driver that runs already cannot take further ones for one job.
    """
    _refuse_further("the job", [jar for jar in wanted if jar.rpartition("/")[2] not in present], present)


def _refuse_further(asking: str, missing: Sequence[str], present: Sequence[str]) -> None:
    if missing:
        raise ConfigError(
            f"{asking} asks for {', '.join(missing)}, which the resident Spark does not have",
            hint=f"it has {', '.join(name for name in present if name.startswith(_TELLING))}",
        )


def install_hook(session: Callable[[], SparkSession]) -> None:
    """Let `SparkSession.builder.getOrCreate()` and its like in this process attach, and `SparkContext(...)` too.

    Args:
        session: returns this process's session.
    """
    make_context, make_session = SparkContext.__init__, SparkSession.__init__

    def get_or_create(builder: Any) -> SparkSession:
        found = session()
        apply_options(found, builder._options)
        return found

    def get_or_create_context(cls: type, conf: SparkConf | None = None) -> SparkContext:
        found = session()
        apply_options(found, dict(conf.getAll()) if conf is not None else {})
        return found.sparkContext

    @wraps(make_context)
    def init_context(context: SparkContext, *args: Any, **kwargs: Any) -> None:
        if type(context) is not SparkContext:
            make_context(context, *args, **kwargs)
            return
        given = signature(make_context).bind(context, *args, **kwargs).arguments
        attached = get_or_create_context(SparkContext, given.get("conf"))
        named = {"spark.master": given.get("master"), "spark.app.name": given.get("appName")}
        apply_options(session(), {key: value for key, value in named.items() if value})
        # what the caller holds becomes another name of the one context that a process has
        context.__class__, context.__dict__ = AttachedContext, attached.__dict__

    def init_session(
        made: SparkSession, sparkContext: SparkContext, jsparkSession: Any = None, options: Any = None
    ) -> None:
        # pyspark would take the default session of the JVM, which is nobody's here
        make_session(made, sparkContext, jsparkSession or session()._jsparkSession, options or {})

    SparkSession.Builder.getOrCreate = get_or_create
    SparkContext.getOrCreate = classmethod(get_or_create_context)
    SparkContext.__init__ = init_context
    SparkSession.__init__ = init_session


def _attach(address: HostAddress) -> AttachedContext:
    if SparkContext._active_spark_context is not None:
        raise ConfigError(
            "this process runs a Spark context of its own, so it cannot attach to the environment's",
            hint="stop it first, or leave its creation to getOrCreate()",
        )
    line = Line(address, timeout=180.0)
    reply = line.ask("attach", database=address.database)
    parameters = JavaParameters(port=reply["port"], auth_token=reply["secret"], auto_convert=True)
    gateway = ClientServer(parameters, PythonParameters(port=0, eager_load=False))
    for name in _IMPORTS:
        java_import(gateway.jvm, name)
    # A context that was stopped leaves its gateway behind, and pyspark would take that one.
    SparkContext._gateway = SparkContext._jvm = None
    entry = gateway.entry_point
    jsc = gateway.jvm.JavaSparkContext.fromSparkContext(entry.sparkContext())
    with _own_interrupt_handler():
        context = AttachedContext(
            gateway=gateway,
            jsc=jsc,
            # a copy: what one client sets for its Python workers must not reach another's
            conf=SparkConf(_jconf=jsc.sc().getConf()),
            environment={"PYTHONPATH": _import_path()},
        )
    context.pythonExec = os.environ.get("PYSPARK_PYTHON", sys.executable)
    context.harness_address, context.harness_line, context.harness_pid = address, line, os.getpid()
    context.harness_jars = tuple(reply["jars"])
    context.harness_own = {}
    context.harness_sessions = {}
    context.addJobTag(reply["tag"])
    context.harness_sessions[address.database] = AttachedSession(context, entry)
    return context


def _context_of_this_process() -> AttachedContext | None:
    context = SparkContext._active_spark_context
    return context if isinstance(context, AttachedContext) else None


def _same_driver(one: HostAddress, other: HostAddress) -> bool:
    return (one.host, one.port, one.token) == (other.host, other.port, other.token)


@contextmanager
def _own_interrupt_handler() -> Iterator[None]:
    """Keep this process's handler of SIGINT: pyspark's would cancel the jobs of every client."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _import_path() -> str:
    """Return what Python workers need besides the interpreter's own packages: where this process imports from."""
    own = (sys.prefix, sys.base_prefix)
    return os.pathsep.join(path or str(Path.cwd()) for path in sys.path if not path.startswith(own))


def _require_master(wanted: str, present: str) -> None:
    """Accept any local master for a local one: how many cores it takes is the environment's to say."""
    if not (wanted.startswith("local") and present.startswith("local")):
        raise ConfigError(
            f"spark.master={wanted} cannot be had from a Spark that runs on {present}",
            hint="leave the master out of the job, and set services.spark.master in the environment file",
        )


def _require_packages(wanted: str, present: tuple[str, ...]) -> None:
    missing = []
    for coordinate in filter(None, (part.strip() for part in wanted.split(","))):
        _, artifact, version = [*coordinate.split(":"), "", ""][:3]
        if f"{artifact}-{version}.jar" not in present:
            missing.append(coordinate)
    _refuse_further("spark.jars.packages", missing, present)


def _set(session: SparkSession, key: str, value: str) -> None:
    from pyspark.errors import AnalysisException, IllegalArgumentException

    try:
        session.conf.set(key, value)
    except (AnalysisException, IllegalArgumentException) as error:
        now = session.sparkContext.getConf().get(key, "not set")
        raise ConfigError(
            f"{key}={value} cannot be set in a Spark that runs already (there it is {now})",
            hint=f"set it in the environment file: services.spark.conf.{key}",
        ) from error


def _forget() -> None:
    """Let pyspark believe that this process has no Spark."""
    with SparkContext._lock:
        SparkContext._active_spark_context = None
        SparkContext._gateway = SparkContext._jvm = None
    SparkSession._instantiatedSession = SparkSession._activeSession = None
    SQLContext._instantiatedContext = None


def _write_down(error: BaseException | None) -> None:
    """Have the driver's errors under way keep their words: they ask the driver for them, which will not answer.

    pyspark's own `stop()` leaves the connection open, so there an error can still be read afterwards.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, CapturedException | Py4JJavaError):
            kind = type(error)
            with suppress(Py4JError, OSError):
                said = {name: getattr(error, name)() for name in _SAYINGS if hasattr(error, name)}
                told = {name: _always(answer) for name, answer in said.items()}
                error.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, **told})
        error = error.__cause__ or error.__context__


def _always(answer: Any) -> Callable[[BaseException], Any]:
    return lambda error: answer


def _after_fork() -> None:
    """Leave the parent's connection to the parent: two processes on one socket would garble both.

    The references are dropped, not closed: closing would shut down the socket that the parent still uses. Py4J's own
    clean-up runs on a thread that the child does not have.
    """
    context = _context_of_this_process()
    if context is not None:
        # the lock may have been held by another thread at the fork
        SparkContext._lock = threading.RLock()
        context.harness_line.close()
        _forget()


def _is_numpy_scalar(converter: Any, value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic)


def _is_numpy_array(converter: Any, value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray) and value.ndim == 1


os.register_at_fork(after_in_child=_after_fork)
# pyspark's own ask pyspark.testing whether numpy is installed, and with it import pandas and gRPC: half a second of
# each process that converts any value
NumpyScalarConverter.can_convert = _is_numpy_scalar
NumpyArrayConverter.can_convert = _is_numpy_array
