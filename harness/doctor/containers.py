"""Check of the container engine; the embedded services do without."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from harness.doctor.model import Finding

NEEDED = "services with `engine: container`"
HOW = "start the daemon (systemctl start docker), or set DOCKER_HOST to one; the embedded services need none"
#: seconds until a daemon that does not answer counts as absent
PATIENCE = 10


def docker(sockets: tuple[Path, ...] | None = None) -> Finding:
    """Ask the daemon that the docker client would talk to for its version."""
    host = os.environ.get("DOCKER_HOST")
    where = f"DOCKER_HOST={host}" if host else "the default socket"
    if shutil.which("docker") is None:
        return Finding("Docker", "warn", "no docker on PATH", NEEDED, f"install Docker or Podman; {_podman(sockets)}")
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return Finding("Docker", "warn", f"no answer within {PATIENCE} s at {where}", NEEDED, HOW)
    version = asked.stdout.strip()
    if asked.returncode == 0 and version:
        return Finding("Docker", "ok", f"daemon {version} at {where}", NEEDED)
    complaint = (asked.stderr.strip().splitlines() or ["no answer"])[-1]
    return Finding("Docker", "warn", f"{where}: {complaint}", NEEDED, _podman(sockets))


def _podman(sockets: tuple[Path, ...] | None) -> str:
    """Return what to do: a Podman socket that is there serves as well."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    usual = (Path(runtime, "podman", "podman.sock"), Path("/run/podman/podman.sock"))
    found = next((path for path in (usual if sockets is None else sockets) if path.exists()), None)
    return f"export DOCKER_HOST=unix://{found} (Podman answers there)" if found else HOW
