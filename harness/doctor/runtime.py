"""Checks of what the embedded engines run on: Java, the jars in the cache, and programs that are used when found."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.doctor.model import Finding
from harness.engines.jars import cache_dir, fingerprint
from harness.engines.java import find_java
from harness.errors import ServiceError

#: where distributions and Homebrew put it
FAKETIME_PATTERNS = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib*/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.*",
    "/opt/homebrew/lib/faketime/libfaketime.*",
)


def java() -> Finding:
    """Look for a Java that Spark and Kafka accept."""
    needed = "the kafka and spark services"
    try:
        found = find_java()
    except ServiceError as error:
        return Finding("Java", "missing", error.message, needed, error.hint or "")
    return Finding("Java", "ok", f"{found.version} in {found.home}", needed)


def jars(cache: Path | None = None) -> Finding:
    """Look for the complete sets of jars."""
    folder = (cache or cache_dir()) / "jars" / fingerprint()
    needed = "the kafka and spark services"
    if folder.is_dir():
        return Finding("jars", "ok", f"{sum(1 for _ in folder.rglob('*.jar'))} in {folder}", needed)
    how = "python -m harness.engines.jars (with a network; the first start does it too)"
    return Finding("jars", "warn", f"not yet in {folder}", needed, how)


def archives(cache: Path | None = None) -> Finding:
    """Look for class-data archives; whether one fits is decided by its name when a JVM starts."""
    folder = (cache or cache_dir()) / "archives"
    found = sorted(path.stem.partition("-")[0] for path in folder.glob("*.jsa"))
    needed = "a fast start of Spark and Kafka"
    if found:
        return Finding("class-data archives", "ok", f"{', '.join(dict.fromkeys(found))} in {folder}", needed)
    return Finding("class-data archives", "warn", f"none in {folder}", needed, "python -m harness.engines.archives")


def minio() -> Finding:
    """Look for the MinIO server that the s3 service prefers."""
    found = shutil.which("minio")
    if found:
        return Finding("minio", "ok", found, "S3 on a real server")
    how = "put a minio binary on PATH; until then moto serves S3"
    return Finding("minio", "warn", "not on PATH", "S3 on a real server", how)


def libfaketime(patterns: Iterable[str] = FAKETIME_PATTERNS) -> Finding:
    """Look for the library that gives a process another clock."""
    found = [str(path) for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))]
    if found:
        return Finding("libfaketime", "ok", found[0], "runs with a shifted clock")
    how = "Debian, Ubuntu: apt-get install libfaketime; macOS: brew install libfaketime"
    return Finding("libfaketime", "warn", "not installed", "runs with a shifted clock", how)
