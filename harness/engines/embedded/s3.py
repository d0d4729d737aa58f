"""An object store without Docker: a `minio` binary when one is on PATH, else moto's server."""

from __future__ import annotations

import secrets
import shutil
import sys
from pathlib import Path
from typing import ClassVar, Literal

from harness.engines.base import Engine, Place, Running
from harness.engines.process import ProcessRunning, ServerProcess, free_ports, listening_socket, random_password
from harness.environment.spec import S3Spec, ServiceSpec
from harness.errors import ServiceError
from harness.models.service import Endpoint

REGION = "us-east-1"

_MOTO = Path(__file__).with_name("moto_server.py")

_MOTO_LIMITS = (
    "signatures: moto checks the access key and not the signature; a wrong secret key is accepted",
    "policies: moto stores bucket policies and does not enforce them",
    "concurrency: moto serialises most requests; no throttling, no limit on parallel parts",
    "durability: moto keeps objects in memory",
)


class EmbeddedS3(Engine):
    """Starts the object store; `fidelity` is moto's, since minio has no limit that matters here."""

    name: ClassVar[str] = "embedded"
    fidelity: ClassVar[tuple[str, ...]] = _MOTO_LIMITS

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        assert isinstance(spec, S3Spec)
        access, secret = secrets.token_hex(10).upper(), random_password()
        return (_start_minio if choose(spec) == "minio" else _start_moto)(place, access, secret)


def choose(spec: S3Spec) -> Literal["moto", "minio"]:
    """Return which server serves this; raises ServiceError when minio is asked for and is not there."""
    if spec.server == "moto" or (spec.server == "auto" and not shutil.which("minio")):
        return "moto"
    if not shutil.which("minio"):
        raise ServiceError(
            "server: minio is asked for, and there is no `minio` on PATH",
            engine="embedded",
            hint="install it (https://min.io/docs), or write server: auto, which falls back to moto",
        )
    return "minio"


def _start_moto(place: Place, access: str, secret: str) -> Running:
    with listening_socket() as listener:
        process = ServerProcess.spawn(
            # -P: the script's own folder has modules that are named like the standard library's
            [sys.executable, "-P", _MOTO, str(listener.fileno())],
            folder=place.folder,
            log=place.folder / "moto.log",
            # large objects are spooled to files: below the session's folder, which goes with it
            env={**place.environ, "MOTO_SERVER_ACCESS_KEY": access, "TMPDIR": str(place.folder)},
            pass_fds=(listener.fileno(),),
        )
        return ProcessRunning(_endpoint("moto", listener.getsockname()[1], access, secret), process)


def _start_minio(place: Place, access: str, secret: str) -> Running:
    data = place.folder / "data"
    data.mkdir()
    port, console = free_ports(2)
    process = ServerProcess.spawn(
        [
            "minio",
            "server",
            "--quiet",
            "--address",
            f"127.0.0.1:{port}",
            "--console-address",
            f"127.0.0.1:{console}",
            data,
        ],
        folder=place.folder,
        log=place.folder / "minio.log",
        env={**place.environ, "MINIO_ROOT_USER": access, "MINIO_ROOT_PASSWORD": secret, "MINIO_BROWSER": "off"},
    )
    return ProcessRunning(_endpoint("minio", port, access, secret), process, remove=(data,))


def _endpoint(server: str, port: int, access: str, secret: str) -> Endpoint:
    return Endpoint(
        role="s3",
        engine=EmbeddedS3.name,
        port=port,
        user=access,
        password=secret,
        options={"scheme": "http", "region": REGION, "server": server},
    )
