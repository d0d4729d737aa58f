"""Checks of the machine itself: Python, memory, disk, sockets, limits."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from harness.doctor.model import GIB, Finding, Status, gibibytes

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 12)
#: measured in use: Spark 1.5 GiB, Kafka 0.25, Postgres and S3 0.2 together; Airflow's processes come on top
MEMORY = 4 * GIB
#: jars and archives take 0.4 GiB, the packages 2 GiB, a session's stores little
DISK, DISK_AT_LEAST = 5 * GIB, GIB
#: a broker and a Spark driver keep some hundreds of files and sockets open each
OPEN_FILES = 4096
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Judge the version of the running interpreter."""
    seen = f"{platform.python_implementation()} {'.'.join(map(str, version))} in {sys.prefix}"
    if version < OLDEST_PYTHON:
        return Finding("Python", "missing", seen, "everything", "install Python 3.11 or 3.12")
    if version > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        return Finding("Python", "warn", seen, "everything", f"{newest} is the newest that the suite runs on")
    return Finding("Python", "ok", seen, "everything")


def memory(available: int | None = None) -> Finding:
    """Judge the memory that is left, in bytes; a container's limit counts."""
    left = _available_memory() if available is None else available
    short = left < MEMORY
    how = f"end other programs, or start fewer services; all of them want {gibibytes(MEMORY)}" if short else ""
    return Finding("memory", "warn" if short else "ok", f"{gibibytes(left)} available", "Spark and Kafka together", how)


def _available_memory() -> int:
    import psutil

    limits = [path.read_text().strip() for path in CGROUP_LIMITS if path.is_file()]
    return min([psutil.virtual_memory().available, *(int(limit) for limit in limits if limit.isdigit())])


def disk(free: int | None = None) -> Finding:
    """Judge the space in the user's cache folder, in bytes."""
    from harness.engines.jars import cache_dir

    folder = _existing(cache_dir())
    left = shutil.disk_usage(folder).free if free is None else free
    status: Status = "missing" if left < DISK_AT_LEAST else "warn" if left < DISK else "ok"
    how = "" if status == "ok" else "make room, or set HARNESS_CACHE to a folder on another disk"
    return Finding("disk", status, f"{gibibytes(left)} free at {folder}", "jars and class-data archives", how)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def temporary_folder(folder: Path | None = None) -> Finding:
    """Judge the folder that sessions put their stores in; JVMs unpack native libraries there and execute them."""
    place = folder or Path(tempfile.gettempdir())
    needed = "stores of a session; native libraries of Spark and Kafka"
    try:
        with tempfile.TemporaryFile(dir=place):
            facts = os.statvfs(place)
    except OSError as error:
        return Finding("temporary folder", "missing", f"{place}: {error.strerror}", needed, "set TMPDIR to another one")
    free = facts.f_bavail * facts.f_frsize
    seen = f"{place}, {gibibytes(free)} free"
    if facts.f_flag & getattr(os, "ST_NOEXEC", 0):
        how = "set TMPDIR to a folder on a disk that is not mounted noexec"
        return Finding("temporary folder", "missing", f"{seen}, mounted noexec", needed, how)
    if free < DISK_AT_LEAST:
        return Finding("temporary folder", "warn", seen, needed, "make room, or set TMPDIR to another one")
    return Finding("temporary folder", "ok", seen, needed)


def loopback(address: str = "127.0.0.1") -> Finding:
    """Listen on a free port, connect to it, and pass one byte."""
    needed = "every embedded service"
    try:
        with socket.create_server((address, 0)) as server:
            server.settimeout(5)
            port = server.getsockname()[1]
            with socket.create_connection((address, port), timeout=5) as client, server.accept()[0] as peer:
                peer.settimeout(5)
                client.sendall(b"?")
                peer.recv(1)
    except OSError as error:
        how = "allow connections from and to 127.0.0.1 (firewall, sandbox), or free some ports"
        return Finding("free ports", "missing", f"{address}: {error}", needed, how)
    return Finding("free ports", "ok", f"{address} connects", needed)


def open_files(limits: tuple[int, int] | None = None) -> Finding:
    """Judge the soft and hard limit of open files of one process."""
    soft, hard = limits or resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    few = soft != unlimited and soft < OPEN_FILES
    way = hard == unlimited or hard >= OPEN_FILES
    how = (f"ulimit -n {OPEN_FILES}" if way else "raise the hard limit in /etc/security/limits.conf") if few else ""
    seen = "no limit" if soft == unlimited else f"{soft} for a process"
    return Finding("open files", "warn" if few else "ok", seen, "Kafka and Spark", how)
