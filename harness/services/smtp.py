"""The role `smtp`: what a namespace has sent by mail."""

from __future__ import annotations

import hashlib
import os
import secrets
import smtplib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from shutil import rmtree
from typing import Any, ClassVar

from harness.environment.spec import ConnectionSpec, ServiceSpec, SmtpSpec
from harness.errors import ConfigError, ServiceError, Unreachable
from harness.models.service import Connection, Slice
from harness.models.snapshot import Dataset
from harness.services.base import Service

#: seconds for one answer of the server
_ANSWER_WITHIN = 10.0

#: who sends what belongs to no namespace, and who sends what `ping` does
_MAIN, _PING = "main", "ping"


class Smtp(Service[SmtpSpec]):
    """A mail server; `client` is an smtplib connection, logged in as this slice's user.

    A namespace is a user: what it sends is kept in a folder of its own, and is what `messages` returns.
    """

    role: ClassVar[str] = "smtp"
    spec_type: ClassVar[type[ServiceSpec]] = SmtpSpec
    engines: ClassVar[Mapping[str, str]] = {"embedded": "harness.engines.embedded.smtp:EmbeddedSmtp"}

    _client: tuple[int, smtplib.SMTP] | None = None

    def messages(self, to: str | None = None) -> list[EmailMessage]:
        """Return what was sent, in the order of its arrival; the envelope is in `X-MailFrom` and `X-RcptTo`.

        Args:
            to: only what this address received, blind copies included.

        Raises:
            ServiceError: the server is not ours, so that nobody can tell.
        """
        found = [_parsed(path) for path in sorted(self._folder().glob("*.eml"))]
        return [message for message in found if to is None or to in recipients(message)]

    def refuse(self, answer: str = "451 4.3.0 try again later", times: int = 1) -> None:
        """Let the server answer the next messages of this slice so, and not keep them.

        Args:
            answer: 4xx asks the sender to try again, 5xx is final (RFC 5321, 4.2.1).
            times: how many messages.

        Raises:
            ConfigError: that is no refusal.
            ServiceError: the server is not ours.
        """
        if answer[:1] not in "45" or not answer[:3].isdigit():
            raise ConfigError(f"{answer!r} is no refusal", hint="one begins with 4xx or 5xx, as '550 no such user'")
        folder = self._folder()
        first = len(list(folder.glob("refuse-*")))
        for number in range(first, first + times):
            (folder / f"refuse-{number:04d}").write_text(answer)

    def whole(self) -> Slice:
        return Slice(names={"user": {_MAIN: self.endpoint.user or _MAIN}})

    def ping(self) -> None:
        """Log in, send a message and see it kept; on a server of others only log in."""
        if self.endpoint.engine == "external":
            self._connect(self._user).quit()
            return
        folder = self._made(_PING)
        token = secrets.token_hex(8)
        with self._connect(_PING) as connection:
            connection.sendmail("ping@localhost", ["ping@localhost"], f"Subject: {token}\r\n\r\n")
        # others may be pinging too, and remove what is theirs
        arrived = [path for path in folder.glob("*.eml") if token.encode() in path.read_bytes()]
        for path in arrived:
            path.unlink()
        if not arrived:
            raise Unreachable(f"{self.endpoint.address} took a message and did not keep it", role=self.name)

    def prepare(self) -> None:
        if self.endpoint.engine != "external":
            self._made(self._user)

    def open(self, prefix: str) -> Slice:
        self._made(prefix)
        return Slice(prefix=prefix, names={"user": {_MAIN: prefix}})

    def close(self) -> None:
        self.release()
        if self.slice.prefix:
            rmtree(self._folder(), ignore_errors=True)

    @property
    def client(self) -> smtplib.SMTP:
        """Return this process's connection; the server ends one that was idle for five minutes, so it may be new."""
        if self._client is None or self._client[0] != os.getpid() or not _is_open(self._client[1]):
            self._client = (os.getpid(), self._connect(self._user))
        return self._client[1]

    def connection(self, spec: ConnectionSpec) -> Connection:
        """Return an `smtp` connection as the smtp provider reads it: its extras say what is not to be used."""
        security = self._security
        extra = {
            "disable_tls": security != "starttls",
            "disable_ssl": security != "tls",
            "from_email": self.spec.sender,
            **spec.extra,
        }
        return Connection(
            conn_type="smtp",
            host=self.endpoint.host,
            port=self.endpoint.port,
            login=self._user if self.endpoint.password else None,
            password=self.endpoint.password,
            extra=extra,
        )

    @property
    def readable(self) -> bool:
        """What an external mail server received cannot be read."""
        return self.endpoint.engine != "external"

    def snapshot(self, volatile: Mapping[str, Collection[str]] | None = None) -> list[Dataset]:
        """Return one dataset for each address that received mail; `Date` and `Message-ID` are no part of a fingerprint.

        Args:
            volatile: address -> fields to leave out: `sender`, `subject`, `body`.
        """
        if self.endpoint.engine == "external":
            return []
        received: dict[str, list[EmailMessage]] = {}
        for message in self.messages():
            for address in recipients(message):
                received.setdefault(address, []).append(message)
        left_out = volatile or {}
        return [_dataset(self.name, to, received[to], left_out.get(to, ())) for to in sorted(received)]

    def attach_hint(self) -> str | None:
        return None if self.endpoint.engine == "external" else f"cat {self._folder()}/*.eml"

    def release(self) -> None:
        if self._client is not None and self._client[0] == os.getpid():
            self._client[1].close()
        self._client = None

    @property
    def _user(self) -> str:
        return self.slice.physical("user", _MAIN)

    @property
    def _security(self) -> str:
        return self.endpoint.options.get("security", "starttls")

    def _folder(self) -> Path:
        mail = self.endpoint.options.get("mail")
        if mail is None:
            raise ServiceError(
                "what an external mail server received cannot be read",
                role=self.name,
                engine=self.endpoint.engine,
                hint="tests that read mail need `engine: embedded`",
            )
        return Path(mail, self._user)

    def _made(self, user: str) -> Path:
        folder = Path(self.endpoint.options["mail"], user)
        folder.mkdir(exist_ok=True)
        return folder

    def _connect(self, user: str) -> smtplib.SMTP:
        kind = smtplib.SMTP_SSL if self._security == "tls" else smtplib.SMTP
        connection = kind(self.endpoint.host, self.endpoint.port, timeout=_ANSWER_WITHIN)
        if self._security == "starttls":
            connection.starttls()
        if self.endpoint.password:
            connection.login(user, self.endpoint.password)
        return connection


def recipients(message: EmailMessage) -> list[str]:
    """Return whom a message was sent to by its envelope, which is what counts."""
    return str(message["X-RcptTo"]).split(", ")


def text(message: EmailMessage) -> str:
    """Return a message's body as text: the plain part where there is one, else the HTML as it is written."""
    body = message.get_body(preferencelist=("plain", "html"))
    return "" if body is None else str(body.get_content()).replace("\r\n", "\n")


def _parsed(path: Path) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())


def _is_open(connection: smtplib.SMTP) -> bool:
    try:
        return connection.noop()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


def _dataset(service: str, address: str, messages: Iterable[EmailMessage], left_out: Collection[str]) -> Dataset:
    digests: Counter[str] = Counter()
    sample: dict[str, dict[str, Any]] = {}
    for message in messages:
        fields = {"sender": str(message["X-MailFrom"]), "subject": str(message["Subject"]), "body": text(message)}
        fields["attachments"] = str([_attachment(part) for part in message.iter_attachments()])
        kept = {name: value for name, value in fields.items() if name not in left_out}
        digest = hashlib.blake2b(repr(kept).encode(), digest_size=16).hexdigest()
        digests[digest] += 1
        sample[digest] = kept
    return Dataset(
        service=service, name=address, kind="topic", rows=digests.total(), digests=dict(digests), sample=sample
    )


def _attachment(part: Any) -> tuple[str | None, str]:
    content = part.get_payload(decode=True) or b""
    return part.get_filename(), hashlib.blake2b(content, digest_size=16).hexdigest()
