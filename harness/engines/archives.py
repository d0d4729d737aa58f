"""Makes class-data archives for the broker's and Spark's JVM: half of their start is reading classes.

`python -m harness.engines.archives` starts both once, lets them do what tests do, and keeps what they had loaded (JEP
350). An archive is used when it is there, and never needed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.engines.base import Place, Running
from harness.engines.embedded import rehearsal
from harness.engines.embedded.kafka import broker_command, formatted_folder, server_properties
from harness.engines.embedded.postgres import EmbeddedPostgres
from harness.engines.embedded.spark import settings
from harness.engines.embedded.spark_jvm import driver_class_path, driver_command, gateway_address, start_driver
from harness.engines.jars import Report, cache_dir, exclusive, jars
from harness.engines.java import find_java
from harness.engines.jvm import archive_path
from harness.engines.process import ServerProcess, free_ports
from harness.environment.spec import PostgresSpec, SparkSpec
from harness.errors import ServiceError

#: seconds for a JVM to write its archive when it ends
DUMP_WITHIN = 180.0

#: seconds that an archive is kept after the last set-up that wanted it
KEPT_FOR = 30 * 86_400.0


def archives(cache: Path) -> dict[str, Path]:
    """Return where the archives of the present jars and Java belong, by JVM, whether they are there or not.

    Raises:
        ServiceError: no Java, no pyspark, or no jars.
    """
    java = find_java()
    broker = jars("kafka", cache)
    return {
        "kafka": archive_path(cache, "kafka", java, broker),
        "spark": archive_path(cache, "spark", java, driver_class_path(jars("spark", cache))),
    }


def make_archives(cache: Path, report: Report) -> dict[str, Path]:
    """Make the archives that are missing, and remove those that no checkout has asked for in a month.

    An archive belongs to the paths of its jars, so two checkouts have one each. Making them takes a minute or two.

    Args:
        cache: the user's cache folder.
        report: takes a line for each step.

    Raises:
        ServiceError: a JVM did not start, or ended without an archive; with the end of its log.
    """
    wanted = archives(cache)
    folder = cache / "archives"
    with exclusive(folder / ".lock"):
        if not all(path.exists() for path in wanted.values()):
            with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as temporary:
                made = _rehearse(cache, Path(temporary), report)
                for name, path in made.items():
                    path.rename(wanted[name])
                    report(f"{name}: {wanted[name]} ({wanted[name].stat().st_size >> 20} MB)")
        for path in wanted.values():
            path.touch()
        for archive in folder.glob("*.jsa"):
            if archive.stat().st_mtime < time.time() - KEPT_FOR:
                archive.unlink()
    return wanted


def _rehearse(cache: Path, folder: Path, report: Report) -> dict[str, Path]:
    made = {name: folder / f"{name}.jsa" for name in ("kafka", "spark")}
    with ExitStack() as stack:
        report("starting a broker, Postgres, an object store and Spark")
        postgres = stack.enter_context(_postgres(cache, folder / "postgres"))
        s3 = stack.enter_context(_moto())
        kafka = stack.enter_context(_broker(cache, folder / "kafka", made["kafka"]))
        report("the broker rehearses")
        rehearsal.kafka(kafka)
        with _driver(cache, folder / "spark", made["spark"]) as conf:
            report("Spark rehearses")
            rehearsal.spark(conf, folder / "spark", kafka, s3, postgres)
            report("Spark writes its archive")
    return made


@contextmanager
def _broker(cache: Path, folder: Path, archive: Path) -> Iterator[str]:
    folder.mkdir()
    java, class_path = find_java(), jars("kafka", cache)
    shutil.copytree(formatted_folder(cache, java, class_path), folder / "data")
    port, controller = free_ports(2)
    (folder / "server.properties").write_text(server_properties(port, controller, folder / "data"))
    flags = [f"-XX:ArchiveClassesAtExit={archive}"]
    command = broker_command(java, class_path, flags, folder / "server.properties", folder)
    process = ServerProcess.spawn(command, folder=folder, log=folder / "log", stop_signal=signal.SIGTERM)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.stop(within=DUMP_WITHIN)
    _require(archive, process.log)


@contextmanager
def _driver(cache: Path, folder: Path, archive: Path) -> Iterator[dict[str, str]]:
    """Start a driver that pyspark of this process will use as if it had launched it."""
    folder.mkdir()
    conf = settings(SparkSpec(packages=["delta"]), folder / "warehouse", folder)
    command = driver_command(cache, folder, conf, lambda line: None, [f"-XX:ArchiveClassesAtExit={archive}"])
    with (folder / "log").open("ab") as output:
        process = start_driver(command.argv, folder, folder, output)
    try:
        port, secret = gateway_address(process, folder, within=60.0)
        os.environ |= {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
        os.environ["PYSPARK_PYTHON"] = sys.executable
        yield conf
        if process.stdin:
            process.stdin.close()  # the driver ends in an orderly way, and writes its archive
        process.wait(timeout=DUMP_WITHIN)
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"Spark did not end within {DUMP_WITHIN:.0f} s", role="spark") from error
    finally:
        process.kill()
    _require(archive, folder / "log")


@contextmanager
def _postgres(cache: Path, folder: Path) -> Iterator[Running]:
    folder.mkdir()
    running = EmbeddedPostgres().start(PostgresSpec(), Place(folder, cache, folder, "archives"))
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def _moto() -> Iterator[str]:
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("moto").setLevel(logging.ERROR)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def _require(archive: Path, log: Path) -> None:
    if not archive.exists():
        last = tuple(log.read_text(errors="replace").splitlines()[-15:])
        raise ServiceError(f"the JVM ended and wrote no archive {archive.name}", log=last)


def main() -> int:
    """Make the archives, with progress on stdout."""
    for path in make_archives(cache_dir(), lambda line: print(line, flush=True)).values():  # noqa: T201
        print(f"archive: {path}")  # noqa: T201
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServiceError as error:
        sys.exit(str(error))
