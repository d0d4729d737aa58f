"""Becomes a server process: drops privileges, ties its life to the parent's, and executes the server.

Run by path as `python -I -S launch.py PARENT SIGNAL UID GID COMMAND...`, the command by its absolute path; standard
library only: it costs 30 ms. It replaces `preexec_fn`, which may deadlock in a process with threads (subprocess
documentation), and Popen's `user=`, with which the interpreter itself would have to be executable by that user.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

#: variable that becomes LD_PRELOAD for the command: what a library sets up belongs to the user who runs the server
PRELOAD = "HARNESS_PRELOAD"


def main(arguments: list[str]) -> None:
    """Execute the command, or end with 127 and one line that says why not."""
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    system = ctypes.CDLL(None)
    # From here on nothing more can be imported: the interpreter may be out of the unprivileged user's reach.
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # A change of credentials clears the setting (prctl(2)), so it comes after the drop.
        system.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(f"the process {parent} that started this one is gone")
    if preload := os.environ.pop(PRELOAD, None):
        os.environ["LD_PRELOAD"] = preload
    try:
        os.execv(command[0], command)  # noqa: S606 - that is its purpose
    except OSError as error:
        print(f"cannot execute {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - it goes to the log
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
