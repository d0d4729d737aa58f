"""Starts the JVM of a Spark driver: which class path, which flags, and how to reach it by Py4J.

`spark-submit` would run a shell and a second JVM to work out the same command.
"""

from __future__ import annotations

import os
import shlex
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engines.jars import Report, jars, pyspark_jars
from harness.engines.java import find_java
from harness.engines.jvm import QUICK, archive_flags, archive_path, argument_file, join
from harness.errors import Crashed, StartTimeout

#: what Spark's launcher opens (org.apache.spark.launcher.JavaModuleOptions of Spark 4.0), without jdk.incubator.vector:
#: an added module keeps Java from using the module graph in its own archive, and only MLlib's algebra asks for it
_MODULES = (
    *(
        f"--add-opens={package}=ALL-UNNAMED"
        for package in (
            "java.base/java.lang",
            "java.base/java.lang.invoke",
            "java.base/java.lang.reflect",
            "java.base/java.io",
            "java.base/java.net",
            "java.base/java.nio",
            "java.base/java.util",
            "java.base/java.util.concurrent",
            "java.base/java.util.concurrent.atomic",
            "java.base/jdk.internal.ref",
            "java.base/sun.nio.ch",
            "java.base/sun.nio.cs",
            "java.base/sun.security.action",
            "java.base/sun.util.calendar",
            "java.security.jgss/sun.security.krb5",
        )
    ),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
)

#: settings that are spent on the command line, since the JVM runs before there is a context
DRIVER_MEMORY, DRIVER_OPTIONS = "spark.driver.memory", "spark.driver.extraJavaOptions"


@dataclass(frozen=True)
class DriverCommand:
    """How to start one driver JVM.

    Args:
        argv: the command.
        jars: names of the jars that were added to pyspark's own.
        archive: where its class-data archive is, or belongs.
    """

    argv: tuple[str, ...]
    jars: tuple[str, ...]
    archive: Path


def driver_command(
    cache: Path, folder: Path, conf: Mapping[str, str], report: Report, extra: Sequence[str] = ()
) -> DriverCommand:
    """Work out the command of a driver JVM; its java arguments go into a file in `folder`.

    Args:
        cache: the user's cache folder.
        folder: for temporary files; must be there.
        conf: Spark settings; memory and Java options of the driver are read from here.
        report: takes lines about a fetch of jars.
        extra: more flags; with any, the archive is not used (they make one).

    Raises:
        ServiceError: no Java, no pyspark, or no jars.
    """
    java = find_java()
    added = jars("spark", cache, report)
    class_path = driver_class_path(added)
    archive = archive_path(cache, "spark", java, class_path)
    arguments = [
        f"-Xmx{conf[DRIVER_MEMORY]}",
        *QUICK,
        *_MODULES,
        *(extra or archive_flags(archive)),
        "-Duser.timezone=UTC",
        f"-Djava.io.tmpdir={folder}",
        *shlex.split(conf.get(DRIVER_OPTIONS, "")),
        *("-cp", join(class_path)),
    ]
    main = "org.apache.spark.api.python.PythonGatewayServer"
    argv = (str(java.executable), argument_file(folder / "java.args", arguments), main)
    return DriverCommand(argv, tuple(jar.name for jar in added), archive)


def driver_class_path(added: Sequence[Path]) -> list[Path]:
    """Return all jars of a driver in their one order: ours first, as `--driver-class-path` would put them."""
    return [*added, *sorted(pyspark_jars().glob("*.jar"))]


def start_driver(argv: Sequence[str], folder: Path, cwd: Path, output: Any = None) -> subprocess.Popen[bytes]:
    """Start the JVM; it ends by itself when the pipe to its input closes, so with the process that called this.

    Args:
        argv: from `driver_command`.
        folder: where it writes how to reach it.
        cwd: its working directory, against which relative paths of jobs are read.
        output: a file for its output; by default this process's own.
    """
    # Spark is told by its settings alone: a SPARK_HOME or PYSPARK_* of the user's would mean another installation.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
    env = {
        **inherited,
        "_PYSPARK_DRIVER_CONN_INFO_PATH": str(folder / "gateway"),
        "SPARK_CONNECT_MODE": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return subprocess.Popen(
        list(argv), cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT if output else None
    )


def gateway_address(process: subprocess.Popen[bytes], folder: Path, within: float) -> tuple[int, str]:
    """Wait until the JVM has written how to reach it, and return port and secret.

    Raises:
        Crashed: it ended first.
        StartTimeout: it did not within `within` seconds.
    """
    until = time.monotonic() + within
    file = folder / "gateway"
    while not file.exists():
        if process.poll() is not None:
            raise Crashed(f"Spark's JVM ended with {process.returncode} before it could be reached", role="spark")
        if time.monotonic() > until:
            raise StartTimeout(f"Spark's JVM was not reachable after {within:.0f} s", role="spark")
        time.sleep(0.01)
    # org.apache.spark.api.python.PythonGatewayServer: port, then the length of the secret and the secret
    content = file.read_bytes()
    port, length = struct.unpack(">ii", content[:8])
    file.unlink()
    return port, content[8 : 8 + length].decode()
