"""Fetches the jars of the embedded broker and of Spark once per user, with the Apache Ivy that pyspark carries.

`python -m harness.engines.jars` fetches them ahead of time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit
from urllib.request import getproxies

from harness.engines.java import find_java
from harness.errors import ServiceError

Set = Literal["kafka", "spark"]
Report = Callable[[str], None]

#: seconds for a first resolution over a slow line; 110 jars and as many POMs, one after the other
DEADLINE = 1800.0

_HINT = (
    "the first fetch needs the network; behind a proxy set https_proxy, for a mirror set HARNESS_IVY_SETTINGS to an "
    "ivysettings.xml, then run `python -m harness.engines.jars`"
)


def cache_dir() -> Path:
    """Return the user's cache folder: HARNESS_CACHE, else where the platform keeps caches."""
    declared = os.environ.get("HARNESS_CACHE")
    if declared:
        return Path(declared).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("dtap-harness")


def jars(name: Set, cache: Path | None = None, report: Report | None = None) -> list[Path]:
    """Return the jars of one JVM, sorted; fetch all of them when they are not in the cache.

    Args:
        name: `kafka` (the broker's whole class path) or `spark` (what is added to pyspark's own jars).
        cache: the cache folder; `cache_dir()` by default.
        report: takes a line now and then while it fetches.

    Raises:
        ServiceError: no Java, no pyspark, or a jar cannot be had; with Ivy's words and what to do.
    """
    return sorted((_fetched(cache or cache_dir(), report or _silent) / name).glob("*.jar"))


def pyspark_jars() -> Path:
    """Return pyspark's own folder of jars; raises ServiceError when pyspark is not installed."""
    found = importlib.util.find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        raise ServiceError(
            "pyspark is not installed; its wheel carries Spark, and the Ivy that fetches all other jars",
            hint="pip install 'dtap-harness[spark,kafka]'",
        )
    return Path(found.submodule_search_locations[0]) / "jars"


def fingerprint() -> str:
    """Return the identity of the set of jars: 16 hex digits over ivy.xml, which pins every version that matters."""
    return hashlib.sha256(_ivy_xml()).hexdigest()[:16]


@contextmanager
def exclusive(lock: Path, deadline: float = DEADLINE) -> Iterator[None]:
    """Hold a file lock, so that only one process fills a part of the cache.

    Raises:
        ServiceError: another process held it for `deadline` seconds.
    """
    import filelock

    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(lock, timeout=deadline):
            yield
    except filelock.Timeout as timeout:
        raise ServiceError(
            f"another process has been filling {lock.parent} for {deadline:.0f} s", hint=f"end it, or remove {lock}"
        ) from timeout


def _fetched(cache: Path, report: Report) -> Path:
    """Return the folder with the complete sets; its existence is the proof that they are complete."""
    target = cache / "jars" / fingerprint()
    if target.is_dir():
        return target
    with exclusive(cache / "jars" / ".lock"):
        if not target.is_dir():
            _fetch(target, cache / "ivy", report)
    return target


def _fetch(target: Path, ivy_cache: Path, report: Report) -> None:
    """Resolve both sets at once, each in its own JVM and Ivy cache: the time goes into waiting for answers."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as temporary:
        ivy = Path(temporary, "ivy.xml")
        ivy.write_bytes(_ivy_xml())
        folder = Path(temporary, "sets")
        progress = _Progress(report)
        names = get_args(Set)
        with ThreadPoolExecutor(len(names)) as pool:
            for _ in pool.map(lambda name: _resolve(name, ivy, folder, ivy_cache / name, progress), names):
                pass
        folder.rename(target)
    report(f"{sum(1 for _ in target.rglob('*.jar'))} jars in {target}")


class _Progress:
    """Counts what the resolutions have fetched, and reports every tenth."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._count = count(1)
        self._lock = threading.Lock()

    def saw(self, line: str) -> None:
        """Take one line of Ivy's output."""
        if "[SUCCESSFUL ]" in line:
            with self._lock:
                done = next(self._count)
                if done % 10 == 0:
                    self._report(f"fetched {done} jars")


def _resolve(name: str, ivy: Path, folder: Path, ivy_cache: Path, progress: _Progress) -> None:
    command = _command(name, ivy, folder, ivy_cache)
    # A user who closes the terminal ends the JVM with it: it stays in our process group on purpose.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        watchdog = threading.Timer(DEADLINE, process.kill)
        watchdog.start()
        try:
            lines = []
            for line in process.stdout or ():
                lines.append(line.rstrip())
                progress.saw(line)
        finally:
            watchdog.cancel()
    if process.returncode != 0:
        raise ServiceError(f"Ivy could not fetch the jars of {name}", log=_reasons(lines), hint=_HINT)


def _command(name: str, ivy: Path, folder: Path, ivy_cache: Path) -> list[str]:
    settings = os.environ.get("HARNESS_IVY_SETTINGS")
    if settings and not Path(settings).is_file():
        raise ServiceError(f"HARNESS_IVY_SETTINGS names {settings}, which is not a file", hint=_HINT)
    own = pyspark_jars()
    found = sorted(own.glob("ivy-*.jar"))
    if not found:
        raise ServiceError(f"no ivy-*.jar in {own}", hint="reinstall pyspark")
    return [
        str(find_java().executable),
        # Its default would be a folder in the user's home, where a stranger's settings may lie.
        f"-Divy.default.ivy.user.dir={ivy_cache}",
        "-Dsun.net.client.defaultConnectTimeout=20000",
        "-Dsun.net.client.defaultReadTimeout=60000",
        *_proxy_flags(),
        *("-cp", str(found[-1]), "org.apache.ivy.Main"),
        *(("-settings", settings) if settings else ()),
        *("-ivy", str(ivy), "-confs", name, "-cache", str(ivy_cache), "-types", "jar", "bundle"),
        *("-retrieve", str(folder / "[conf]" / "[artifact]-[revision].[ext]")),
    ]


def _proxy_flags() -> list[str]:
    """Translate http_proxy, https_proxy and no_proxy: Java reads its own properties only."""
    proxies = getproxies()
    flags = []
    for scheme in ("http", "https"):
        address = urlsplit(proxies.get(scheme, ""))
        if address.hostname:
            flags += [f"-D{scheme}.proxyHost={address.hostname}", f"-D{scheme}.proxyPort={address.port or 80}"]
    bypass = [host.strip() for host in proxies.get("no", "").split(",") if host.strip()]
    if flags and bypass:
        hosts = "|".join(f"*{host}" if host.startswith(".") else host for host in bypass)
        flags.append(f"-Dhttp.nonProxyHosts={hosts}")
    return flags


def _reasons(lines: list[str], most: int = 12) -> tuple[str, ...]:
    """Pick from Ivy's output what says why; its summary repeats a cause once per module."""
    telling = [line.strip(" \t:") for line in lines if re.search(r"not found|ERROR|refused|[Uu]nknown ?[Hh]ost", line)]
    return tuple(dict.fromkeys(telling or lines[-most:]))[:most]


def _ivy_xml() -> bytes:
    return files("harness.engines").joinpath("ivy.xml").read_bytes()


def _silent(line: str) -> None:
    del line


def main() -> int:
    """Fetch all sets, with progress on stdout."""
    target = _fetched(cache_dir(), lambda line: print(line, flush=True))  # noqa: T201
    print(f"jars: {target}")  # noqa: T201
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServiceError as error:
        sys.exit(str(error))
