"""A mail server that keeps what it is given, in one aiosmtpd process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from harness.engines.base import Engine, Place, Running
from harness.engines.process import ProcessRunning, ServerProcess, listening_socket, random_password
from harness.environment.service import ServiceSpec
from harness.models.service import Endpoint

_SERVER = Path(__file__).with_name("smtp_sink.py")


class EmbeddedSmtp(Engine):
    """Starts the sink; each namespace is a user of its own, whose messages are files of one folder."""

    name: ClassVar[str] = "embedded"
    fidelity: ClassVar[tuple[str, ...]] = (
        "tls: no TLS",
        "delivery: nothing leaves the machine, and no address bounces",
    )

    def start(self, spec: ServiceSpec, place: Place) -> Running:
        mail = place.folder / "mail"
        mail.mkdir()
        password = random_password()
        with listening_socket() as listener:
            process = ServerProcess.spawn(
                # -P: the script's own folder has modules that are named like the standard library's
                [sys.executable, "-P", _SERVER, str(listener.fileno()), mail],
                folder=place.folder,
                log=place.folder / "smtp.log",
                env={**place.environ, "HARNESS_SMTP_PASSWORD": password},
                pass_fds=(listener.fileno(),),
            )
            endpoint = Endpoint(
                role="smtp",
                engine=self.name,
                port=listener.getsockname()[1],
                password=password,
                options={"security": "none", "mail": str(mail)},
            )
        return ProcessRunning(endpoint, process, remove=(mail,))
