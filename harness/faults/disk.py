"""A folder in which little room is left: what is written beyond it fails with ENOSPC, as on a full disk."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import ConfigError

_WITHIN = 10
"""Seconds for mount(8) and umount(8)."""


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """Make a folder that holds `size` bytes (rounded up to a page), and remove it at the end of the block.

    Give it to what is tested: as `TMPDIR` of a run, as a download folder.

    Raises:
        ConfigError: this user may not mount a file system (Linux with CAP_SYS_ADMIN: a container's root has it often).
    """
    with tempfile.TemporaryDirectory(prefix="harness-small-disk-") as name:
        _mount(name, size)
        try:
            yield Path(name)
        finally:
            # lazily: a process that a test has left behind must not keep the mount
            subprocess.run(["umount", "--lazy", name], check=True, timeout=_WITHIN, capture_output=True)


def _mount(folder: str, size: int) -> None:
    seen = "only Linux has it"
    if sys.platform == "linux":
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "harness-small-disk", folder]
        done = subprocess.run(command, check=False, timeout=_WITHIN, capture_output=True, text=True)
        if done.returncode == 0:
            return
        seen = done.stderr.strip()
    raise ConfigError(f"cannot make a small disk: {seen}", hint="run it as root, or in a container that may mount")
