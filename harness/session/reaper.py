"""Ends what a dead daemon left: the processes and folders of one session, by its id and nothing else.

It is a process of its own, there before the daemon is. It holds the reading end of a pipe whose other end only the
daemon has; the kernel closes that when the daemon ends, however it ends. A daemon that stops in order has nothing left
for it to find.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.engines.container.base import MARKER
from harness.session import records

if TYPE_CHECKING:
    import psutil

_MODULE = "harness.session.reaper"


def watch(session: str) -> tuple[int, int]:
    """Start a reaper of a session; it begins when the last process that has the pipe's writing end is gone.

    Returns:
        The reaper's process id, and the writing end, which no process inherits unless it is told to.
    """
    reading, writing = os.pipe()
    try:
        watcher = subprocess.Popen(
            [sys.executable, "-m", _MODULE, session],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # who waits for the end of our output must not wait for it
            env={**os.environ, records.SESSION_VARIABLE: session},
            start_new_session=True,
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    return watcher.pid, writing


def watches(pid: int) -> bool:
    """Tell whether a reaper lives."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


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
    reapers = [process for process in found if _is_reaper(process)]
    for process in found:
        # a reaper has nothing to put in order, and takes no other signal
        _send(process, signal.SIGKILL if process in reapers else signal.SIGTERM)
    psutil.wait_procs([process for process in found if process not in reapers], timeout=within)
    # children may have been born between the two looks
    rest = [process for process in processes_of(session) if process.pid not in spare]
    for process in rest:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(rest, timeout=within)
    _remove_containers(session)
    records.remove_remains(session)
    return len(found)


def _is_reaper(process: psutil.Process) -> bool:
    import psutil

    try:
        return _MODULE in process.cmdline()
    except psutil.Error:
        return False


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
