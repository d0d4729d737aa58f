"""Finds the Java that runs the broker and Spark, and says how to get one."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ServiceError

#: Spark 4 and Kafka 4 brokers both refuse older ones.
MINIMUM = 17

_HINT = (
    "install OpenJDK 17 or newer (Debian and Ubuntu: apt-get install openjdk-17-jre-headless; "
    "macOS: brew install openjdk@17), or set JAVA_HOME to one"
)


@dataclass(frozen=True)
class Java:
    """One Java runtime.

    Args:
        home: the folder that JAVA_HOME would name.
        version: all of it (`17.0.15+6-Debian-1deb12u1`); class-data archives fit exactly one.
    """

    home: Path
    version: str

    @property
    def executable(self) -> Path:
        return self.home / "bin" / "java"

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version).group())  # type: ignore[union-attr]


def find_java() -> Java:
    """Return the Java of JAVA_HOME, else the one on PATH.

    Raises:
        ServiceError: there is none, or it is older than 17; with how to install one.
    """
    home = _home()
    java = Java(home, _version(home))
    if java.major < MINIMUM:
        raise ServiceError(f"Java {java.version} in {home} is too old: {MINIMUM} or newer is needed", hint=_HINT)
    return java


def java_home() -> Path:
    """Return the folder of the Java to use; raises ServiceError as `find_java` does."""
    return find_java().home


def java_version() -> str:
    """Return the full version of the Java to use; raises ServiceError as `find_java` does."""
    return find_java().version


def _home() -> Path:
    declared = os.environ.get("JAVA_HOME")
    if declared:
        if not (Path(declared) / "bin" / "java").exists():
            raise ServiceError(f"JAVA_HOME is {declared}, and there is no bin/java in it", hint=_HINT)
        return Path(declared)
    found = shutil.which("java")
    if found is None:
        raise ServiceError("no Java: JAVA_HOME is not set and there is no `java` on PATH", hint=_HINT)
    return Path(found).resolve().parent.parent


@functools.cache
def _version(home: Path) -> str:
    """Read the version from the `release` file that every JDK carries; starting a JVM to ask costs 100 ms and more."""
    release = home / "release"
    if release.exists():
        facts: dict[str, str] = dict(re.findall(r'^(\w+)="(.*)"$', release.read_text(), re.MULTILINE))
        version = facts.get("JAVA_RUNTIME_VERSION") or facts.get("JAVA_VERSION")
        if version:
            return version
    asked = subprocess.run(
        [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=30, check=False
    ).stderr
    found = re.search(r"\(build ([^)]+)\)", asked) or re.search(r'version "([^"]+)"', asked)
    if found is None:
        raise ServiceError(f"{home}/bin/java does not tell its version: {asked.strip()[:200]!r}", hint=_HINT)
    return str(found.group(1)).removeprefix("1.")
