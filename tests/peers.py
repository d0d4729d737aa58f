"""Environments for the tools that the harness is compared with, each beside the harness' own packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.engines.jars import cache_dir

#: seconds for downloading and installing all packages of one peer
PATIENCE = 1200


class PeerError(Exception):
    """A peer cannot be installed; in one line, why."""


def peer_python(peer: str, *options: str, extras: str = "", needs: Sequence[str] = ()) -> str:
    """Return the interpreter of an environment that holds a peer; made once, in the user's cache.

    Args:
        peer: `name==version`, which names the environment too.
        options: for `uv pip install`.
        extras: of the peer's package, comma-separated.
        needs: further requirements.

    Raises:
        PeerError: it cannot be made; with the installer's last line.
    """
    name, _, version = peer.partition("==")
    folder = cache_dir() / "peers" / f"{name}-{version}"
    python, done = folder / "bin" / "python", folder / "complete"
    if done.exists():
        return str(python)
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is None:
        raise PeerError("uv is not installed")
    requirement = f"{name}[{extras}]=={version}"
    install = [uv, "--quiet", "pip", "install", "-p", str(python), *options, requirement, *needs]
    for command in ([uv, "--quiet", "venv", "--clear", "-p", sys.executable, str(folder)], install):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if ended.returncode:
            raise PeerError((ended.stderr.strip().splitlines() or ["uv failed"])[-1])
    done.touch()
    return str(python)
