"""Checks of what the embedded engines run on: Java, the jars in the cache, and programs that are used when found."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.doctor.model import Finding
from harness.engines.jars import cache_dir, fingerprint
from harness.engines.java import find_java
from harness.engines.shifted import PLACES
from harness.engines.shifted import libfaketime as find_libfaketime
from harness.errors import ServiceError


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


def libfaketime(places: Iterable[str] = PLACES) -> Finding:
    """Look for the library that gives a service another clock."""
    needed = "the proof `clock`"
    if found := find_libfaketime(places):
        return Finding("libfaketime", "ok", str(found), needed)
    return Finding("libfaketime", "warn", "not installed", needed, "Debian, Ubuntu: apt-get install libfaketime")
