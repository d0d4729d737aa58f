"""What one Python process of a task says of the addresses that it goes to, when it goes there.

Stands alone, on the standard library: Python programs that a task starts load it by its path, whatever their
interpreter has installed.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from collections.abc import Collection
from typing import Any


class Witness:
    """Notes where this process goes; a line is whole even when the process is killed right after.

    Args:
        notes: the file.
        inside: hosts of the environment's services, and of this machine.
        run_id: of the task's run.
        task: its name.
    """

    def __init__(self, notes: str, inside: Collection[str], run_id: str, task: str) -> None:
        self.notes = notes
        self.inside = frozenset(inside)
        self.run_id, self.task = run_id, task
        self._names: dict[str, str] = {}
        self._seen: set[tuple[str, object]] = set()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event (Python's documentation, "Audit events table")."""
        if not event.startswith("socket."):
            return
        match event, arguments:
            case ("socket.connect" | "socket.sendto", (_, (str(host), int(port), *_))):
                self.note(host, port)
            case "socket.getaddrinfo", (str(host), port, *_):
                self.note(host, port if isinstance(port, int) and port else None)
            case "socket.gethostbyname", (str(host),):
                self.note(host, None)

    def follow_names(self) -> None:
        """Keep which name an address was found by: who allows the name does not know the address."""
        find = socket.getaddrinfo

        def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
            found = find(host, *arguments, **options)
            name = host.decode() if isinstance(host, bytes) else host
            if isinstance(name, str):
                for address in {str(where[4][0]) for where in found} - self._names.keys() - {name}:
                    self._names[address] = name
                    if not self._is_inside(name.lower()):
                        # the look at open connections, which may be another process's, sees addresses only
                        self._write({"address": address, "name": name.lower().rstrip(".")})
            return found

        socket.getaddrinfo = getaddrinfo

    def note(self, host: str, port: int | None) -> None:
        """Note a contact, once, unless it is inside."""
        name = self._names.get(host, host).lower().rstrip(".")
        if self._is_inside(host.lower().rstrip(".")) or self._is_inside(name) or (name, port) in self._seen:
            return
        self._seen.add((name, port))
        self._write({"task": self.task, "host": name, "port": port})

    def _write(self, line: dict[str, object]) -> None:
        file = os.open(self.notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, json.dumps({"run_id": self.run_id, **line}).encode() + b"\n")
        finally:
            os.close(file)

    def _is_inside(self, host: str) -> bool:
        if host in self.inside or host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback or address.is_unspecified
