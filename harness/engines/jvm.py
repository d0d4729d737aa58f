"""What all JVMs of the embedded engines share: how they are started, and which class-data archive fits them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from harness.engines.java import Java

#: quick to start and small. The second compiler does not pay off in tests, nor in an hour of proofs: after twenty
#: runs of four Spark jobs it still took 21 of the 30 seconds of CPU time of the driver. With one compiler Java keeps
#: 48 MB for what it compiles: two hours of Spark jobs fill them, and a third of the driver's time went to throwing code
#: away. 240 MB is what it keeps for two compilers; they are used as they are needed.
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")


def archive_path(cache: Path, name: str, java: Java, class_path: Sequence[Path]) -> Path:
    """Return where the class-data archive of one JVM belongs, whether it is there or not.

    Java refuses an archive when its own build, the class path's order, or a jar's size or time differs
    (JEP 350); all of them are part of the name, so that a stale archive is never even tried.
    """
    identity = hashlib.sha256(java.version.encode())
    for jar in class_path:
        facts = jar.stat()
        identity.update(f"{jar}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    return cache / "archives" / f"{name}-{identity.hexdigest()[:16]}.jsa"


def archive_flags(archive: Path) -> list[str]:
    """Return the flags that use the archive when it is there; one that does not fit is ignored, not an error."""
    return (
        [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
        if archive.exists()
        else []
    )


def argument_file(path: Path, arguments: Sequence[str]) -> str:
    """Write java's arguments to a file and return the argument that names it (`@file`, java(1)).

    A class path of 300 jars would drown the process list.
    """
    quoted = ('"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"' for argument in arguments)
    path.write_text("\n".join(quoted) + "\n")
    return f"@{path}"


def join(class_path: Sequence[Path]) -> str:
    """Return the value of `-cp`."""
    return os.pathsep.join(map(str, class_path))
