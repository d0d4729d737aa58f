"""A mail server that delivers nothing: it keeps each message in the folder of the user who sent it.

Run by path: `python -P smtp_sink.py FD FOLDER`, with the password of all users in HARNESS_SMTP_PASSWORD. A user is a
folder below FOLDER. A file `refuse-*` there is the answer to the next message, in place of "250 OK", and is used up.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import secrets
import socket
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

#: bytes of one message; what common providers take
LARGEST = 25_000_000

_USER = re.compile(r"[A-Za-z0-9]{1,32}")


class Sink:
    """Takes messages from users who have a folder, and numbers them in the order of their arrival."""

    def __init__(self, folder: Path, password: str) -> None:
        self.folder = folder
        self._password = password
        self._numbers = itertools.count()

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        """Let in a user who has a folder and knows the password (LOGIN and PLAIN; aiosmtpd's `authenticator`)."""
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        user = data.login.decode(errors="replace")
        known = bool(_USER.fullmatch(user)) and (self.folder / user).is_dir()
        if not known or not secrets.compare_digest(data.password, self._password.encode()):
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=user)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the message with its envelope in front of its headers, or answer what a test asked for."""
        folder = self.folder / str(session.auth_data)
        for refusal in sorted(folder.glob("refuse-*")):
            answer = refusal.read_text()
            refusal.unlink()
            return answer
        head = f"X-MailFrom: {envelope.mail_from}\r\nX-RcptTo: {', '.join(envelope.rcpt_tos)}\r\n".encode()
        content = envelope.original_content or b""
        unfinished = folder / "arriving"
        unfinished.write_bytes(head + content)
        unfinished.rename(folder / f"{next(self._numbers):08d}.eml")
        return "250 OK"


async def serve(listener: socket.socket, sink: Sink) -> None:
    """Accept connections until the process is ended."""

    def connection() -> SMTP:
        return SMTP(
            sink,
            authenticator=sink.authenticate,
            auth_required=True,
            auth_require_tls=False,
            data_size_limit=LARGEST,
            hostname="localhost",
        )

    server = await asyncio.get_running_loop().create_server(connection, sock=listener)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve on the inherited socket."""
    descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
    listener = socket.socket(fileno=descriptor)
    asyncio.run(serve(listener, Sink(folder, os.environ["HARNESS_SMTP_PASSWORD"])))


if __name__ == "__main__":
    main()
