"""Makes sure that a Docker engine answers and holds the base image that `images/` starts from.

It does nothing when both are there. Otherwise, as root on Debian or Ubuntu, it installs Debian's docker.io, starts
dockerd, and makes the base with debootstrap, for machines that cannot pull. Needs Python and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BASE = "debian:bookworm-slim"
SUITE = "bookworm"
SOCKET = Path("/var/run/docker.sock")
DATA_ROOT = Path("/var/lib/docker")
LOG = Path("/var/log/dockerd-harness.log")
#: seconds until a new daemon must answer; 3 s on a quiet machine
START_WITHIN = 60.0
#: what debootstrap fetches and a running container never reads
NOT_NEEDED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
)


class EngineError(Exception):
    """No engine can be had here; the message says what the user can do."""


def main() -> int:
    """Provide engine and base image; 0, or 3 with one line that says what is missing."""
    try:
        if not answers():
            provide_engine()
        if not has_image(BASE):
            provide_base()
    except EngineError as error:
        print(f"docker: {error}", file=sys.stderr)
        return 3
    return 0


def answers() -> bool:
    """Tell whether the engine that the `docker` command would use answers."""
    return bool(shutil.which("docker")) and succeeds("docker", "version", "--format", "{{.Server.Version}}")


def has_image(name: str) -> bool:
    """Tell whether the engine holds an image of that name."""
    return succeeds("docker", "image", "inspect", name)


def provide_engine() -> None:
    """Install and start Debian's engine; raises EngineError where that is not ours to do."""
    declared = os.environ.get("DOCKER_HOST")
    if declared:
        raise EngineError(f"nothing answers at DOCKER_HOST={declared}; start an engine there, or unset the variable")
    if not can_install():
        raise EngineError(
            "no engine answers; start Docker or Podman, or set DOCKER_HOST to the socket of one "
            "(as root on Debian or Ubuntu this script installs one)"
        )
    install("dockerd", "docker.io")
    install("iptables", "iptables")
    start_daemon()


def start_daemon() -> None:
    """Start dockerd in a session of its own, and wait until it answers."""
    with LOG.open("ab") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--data-root", str(DATA_ROOT), "-H", f"unix://{SOCKET}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    until = time.monotonic() + START_WITHIN
    while not answers():
        if daemon.poll() is not None or time.monotonic() > until:
            last = LOG.read_text(errors="replace").strip().splitlines()[-1:]
            raise EngineError(f"dockerd did not start: {' '.join(last)}; its log is {LOG}")
        time.sleep(0.1)


def provide_base() -> None:
    """Pull the base image, or where we may make one, make it with debootstrap."""
    if not can_install():
        if not succeeds("docker", "pull", "--quiet", BASE):
            raise EngineError(f"{BASE} cannot be pulled; `docker load` or `docker import` one of that name")
        return
    install("debootstrap", "debootstrap")
    with tempfile.TemporaryDirectory(prefix="harness-base-") as folder:
        root = Path(folder, "root")
        call("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root))
        for path in NOT_NEEDED:
            shutil.rmtree(root / path, ignore_errors=True)
            (root / path).mkdir(parents=True, exist_ok=True)
        follow_mirror(root)
        archive = Path(folder, "base.tar")
        call("tar", "-C", str(root), "-cf", str(archive), ".")
        call("docker", "import", "--change", 'CMD ["bash"]', str(archive), BASE)


def follow_mirror(root: Path) -> None:
    """Add the updates of the suite from the mirror that debootstrap used, so that builds get security fixes."""
    sources = root / "etc/apt/sources.list"
    mirror = sources.read_text().split()[1]
    security = mirror.rstrip("/").removesuffix("/debian") + "/debian-security"
    sources.write_text(f"deb {mirror} {SUITE} main\ndeb {mirror} {SUITE}-updates main\n")
    sources.write_text(sources.read_text() + f"deb {security} {SUITE}-security main\n")


def can_install() -> bool:
    """Tell whether system packages can be installed without asking anybody."""
    return sys.platform == "linux" and os.geteuid() == 0 and bool(shutil.which("apt-get"))


def install(program: str, package: str) -> None:
    """Install a package of the distribution unless its program is there."""
    if shutil.which(program):
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    call("apt-get", "update", "-q", env=environ)
    call("apt-get", "install", "-q", "-y", "--no-install-recommends", package, env=environ)


def succeeds(*command: str) -> bool:
    """Tell whether a command ends with 0; it is given a minute, since a daemon may hang."""
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def call(*command: str, env: dict[str, str] | None = None) -> None:
    """Run a command; raises EngineError with the end of its output when it fails."""
    print(f"docker: {' '.join(command[:4])} ...", file=sys.stderr, flush=True)
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise EngineError(f"`{' '.join(command[:4])}` ended with {done.returncode}: {' '.join(said)}")


if __name__ == "__main__":
    sys.exit(main())
