"""Ends what a dead daemon left: the processes and folders of one session, by its id and nothing else.

It is a process of its own. It holds the reading end of a pipe whose other end only the daemon has; the kernel closes
that when the daemon ends, however it ends. A daemon that stops in order has nothing left for it to find.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.engines.container.base import MARKER
from harness.session import records

if TYPE_CHECKING:
    import psutil


def processes_of(session: str) -> list[psutil.Process]:
    """Return the living processes that carry the session's id, without this one."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(records.SESSION_VARIABLE) == session:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone, a zombie, or another user's: not ours to end
    return found


def reap(session: str, spare: Sequence[int] = (), within: float = 2.0) -> int:
    """End every process of the session and remove its folders.

    Args:
        session: the session's id.
        spare: process ids that are left alone.
        within: seconds between TERM and KILL.

    Returns:
        How many processes were found.
    """
    import psutil

    found = [process for process in processes_of(session) if process.pid not in spare]
    for process in found:
        _send(process, signal.SIGTERM)
    psutil.wait_procs(found, timeout=within)
    # children may have been born between the two looks
    rest = [process for process in processes_of(session) if process.pid not in spare]
    for process in rest:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(rest, timeout=within)
    _remove_containers(session)
    records.remove_remains(session)
    return len(found)


def _remove_containers(session: str) -> None:
    """Remove what the session has in the container engine, if it ever asked for anything there."""
    if not (records.runtime_dir() / session / MARKER).exists():
        return
    from harness.engines.container.remains import remove

    remove(session)


def sweep() -> list[str]:
    """Reap every session whose daemon is gone, and return their ids: what a crash of everything leaves."""
    gone = [record.id for record in records.records() if not record.alive()]
    for session in gone:
        reap(session)
    return gone


def _send(process: psutil.Process, signum: signal.Signals) -> None:
    import psutil

    try:
        process.send_signal(signum)
    except psutil.Error:
        return


def main() -> None:
    """Wait until the daemon is gone, then end what is left. Arguments: the session's id; standard input is the pipe."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    session = sys.argv[1]
    sys.stdin.buffer.read()
    reap(session)


if __name__ == "__main__":
    main()
