"""Running the controller below the caller, on the caller's terminal, for a debugger: no fork server, no deadline."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.session import forkchild
from harness.session.forkclient import Event, Options, Outcome, airflow_environment


class DirectClient:
    """Stands in for a ForkClient: forks this very process, so that IDEs and pdb follow the child."""

    def run(
        self,
        target: str,
        payload: Mapping[str, Any],
        on_event: Callable[[Event], None] = lambda event: None,
        *,
        options: Options,
    ) -> Outcome:
        """Run `module:function` in a child that keeps the caller's terminal; the arguments are ForkClient.run's."""
        mine, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            mine.close()
            request = {
                "target": target,
                "payload": json.loads(json.dumps(payload, default=str)),
                "environ": {**airflow_environment(Path(payload["folder"])), **options.environ},
                "cwd": options.cwd,
                "sys_path": list(options.sys_path),
                "stack_file": options.stack_file,
            }
            forkchild.become(request, theirs, [], terminal=True)
        theirs.close()
        # the terminal's Ctrl-C is for the debugger in the child
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return _follow(mine, pid, on_event)
        finally:
            signal.signal(signal.SIGINT, handler)


def _follow(connection: socket.socket, pid: int, on_event: Callable[[Event], None]) -> Outcome:
    seen: dict[str, Any] = {}
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            message = json.loads(line)
            if "event" in message:
                on_event(message["event"])
            else:
                seen.update(message)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    name = signal.Signals(-code).name if code < 0 else None
    return Outcome(seen.get("result"), seen.get("error"), None if code < 0 else code, name)
