"""Makes this checkout ready to use: virtual environment, pinned packages, Java, jars, class-data archives.

Needs Python and nothing else. Every step is stamped with the content of what decides it, so that a second call does
nothing, fast, and without a network.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = ROOT / ".stamps"
MINIMUM_PYTHON = (3, 11)
#: newest first where a distribution has both; Spark 4.0 is tested on 17
JAVA_PACKAGES = ("openjdk-17-jre-headless", "openjdk-21-jre-headless")

#: an archive fits one set of jars, pyspark's own among them, and holds what the rehearsal loads
ARCHIVED = (
    "constraints.txt",
    "harness/engines/ivy.xml",
    "harness/engines/archives.py",
    "harness/engines/embedded/rehearsal.py",
)


class SetupError(Exception):
    """A step cannot be done here; the message says what the user can do."""


@dataclass(frozen=True)
class Step:
    """One thing to do once.

    Args:
        name: of its stamp, and what the user reads.
        inputs: all that decides its result, as text; when it changes, the step is done again.
        run: does it, and returns the paths that it leaves; when one of them vanishes, the step is done again.
    """

    name: str
    inputs: Callable[[], Iterable[str]]
    run: Callable[[], list[Path]]

    def key(self) -> str:
        """Return the fingerprint of the inputs."""
        return hashlib.sha256("\0".join(self.inputs()).encode()).hexdigest()

    def done(self, stamps: Path) -> bool:
        """Tell whether the stamp was made for these inputs, and what the step left is still there."""
        try:
            stamp = json.loads((stamps / self.name).read_text())
        except (OSError, ValueError):
            return False
        return bool(stamp["key"] == self.key() and all(Path(path).exists() for path in stamp["leaves"]))

    def do(self, stamps: Path) -> None:
        """Run the step, and stamp it; a step that fails leaves no stamp."""
        (stamps / self.name).unlink(missing_ok=True)
        leaves = [str(path) for path in self.run()]
        (stamps / self.name).write_text(json.dumps({"key": self.key(), "leaves": leaves}))


def steps() -> list[Step]:
    """List what a checkout needs, in order; the cheap refusals come first."""
    environ = [os.environ.get(name, "") for name in ("HARNESS_CACHE", "XDG_CACHE_HOME", "HOME")]
    code = [VENV.as_posix(), sys.version]
    return [
        Step("java", lambda: [os.environ.get("JAVA_HOME", ""), shutil.which("java") or ""], provide_java),
        Step("clock", lambda: [], provide_clock),
        Step("venv", lambda: code, make_venv),
        Step("packages", lambda: [*code, *content("pyproject.toml", "constraints.txt")], install_packages),
        Step("jars", lambda: [*code, *environ, *content("harness/engines/ivy.xml")], fetch_jars),
        Step(
            "archives",
            lambda: [*code, *environ, *content(*ARCHIVED), java_seen()],
            make_archives,
        ),
    ]


def content(*names: str) -> Iterator[str]:
    """Yield the text of files of the checkout."""
    return (ROOT.joinpath(name).read_text(encoding="utf-8") for name in names)


def provide_java() -> list[Path]:
    """Find a Java that Spark and Kafka accept, or install one where that takes no question."""
    java = find_java()
    if java is None and may_install():
        install_first(*JAVA_PACKAGES)
        java = find_java()
    if java is None:
        raise SetupError(
            "Java 17 or newer is missing; install it (Debian, Ubuntu: sudo apt-get install openjdk-17-jre-headless; "
            "macOS: brew install openjdk@17) or set JAVA_HOME, then call make again"
        )
    return [java]


def provide_clock() -> list[Path]:
    """Install libfaketime where that takes no question; without it one proof is left undecided, and all else works."""
    if may_install() and not list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")):
        try:
            install_first("libfaketime")
        except SetupError as error:
            print(f"setup: no libfaketime, so that clocks of services cannot be shifted: {error}", file=sys.stderr)
    return []


def find_java() -> Path | None:
    """Return the `java` that the harness itself would use."""
    sys.path.insert(0, str(ROOT))
    from harness.engines.java import find_java as found
    from harness.errors import HarnessError

    try:
        return found().executable
    except HarnessError:
        return None


def java_seen() -> str:
    """Return the version of Java as text; class-data archives fit exactly one."""
    java = find_java()
    release = java.parent.parent / "release" if java else None
    return release.read_text() if release and release.is_file() else str(java)


def may_install() -> bool:
    """Tell whether a package of the system can be installed here without asking anybody."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_first(*packages: str) -> None:
    """Install the first of these Debian packages that this release has."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    call(["apt-get", "update", "-q"], env=environ)
    for package in packages:
        if subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0:
            call(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], env=environ)
            return


def make_venv() -> list[Path]:
    """Make the virtual environment with the Python that runs this script, and put uv into it."""
    python = VENV / "bin" / "python"
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        if not may_install():
            raise SetupError(f"Python's venv module is incomplete; install it: sudo apt-get install {package}")
        install_first(package)
    if not usable(VENV):
        call([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if not shutil.which("uv"):
        call([str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), "uv"])
    return [python]


def usable(venv: Path) -> bool:
    """Tell whether a virtual environment was made in this place (they do not survive a move) by this Python."""
    activate, python = venv / "bin" / "activate", venv / "bin" / "python"
    if not activate.is_file() or str(venv) not in activate.read_text():
        return False
    asked = subprocess.run(
        [python, "-c", "import sys; print(sys.version)"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() == sys.version.strip()


def install_packages() -> list[Path]:
    """Install the pinned packages and the checkout itself, and verify that no two of them overwrote each other."""
    uv = shutil.which("uv") or str(VENV / "bin" / "uv")
    python = VENV / "bin" / "python"
    constraints = str(ROOT / "constraints.txt")
    call([uv, "pip", "install", "-q", "--compile-bytecode", "-p", str(python), "-c", constraints, "-e", f"{ROOT}[dev]"])
    call([str(VENV / "bin" / "harness"), "doctor", "packages"])
    return [python, VENV / "bin" / "harness"]


def fetch_jars() -> list[Path]:
    """Fetch the jars of Spark and Kafka into the user's cache."""
    return left_by("harness.engines.jars")


def make_archives() -> list[Path]:
    """Write the class-data archives, which halve the start of every JVM."""
    return left_by("harness.engines.archives")


def left_by(module: str) -> list[Path]:
    """Run a module that prints `what: PATH` for all that it leaves in the cache, and return those paths."""
    lines = call([str(VENV / "bin" / "python"), "-m", module], capture=True)
    found = [Path(line.partition(": ")[2]) for line in lines if ": /" in line]
    return [path for path in found if path.exists()]


def call(command: list[str], *, env: dict[str, str] | None = None, capture: bool = False) -> list[str]:
    """Run a command in the checkout with its output shown on stderr; return its lines when `capture` is asked for."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    lines = []
    with process:
        for line in process.stdout or ():
            print("  " + line.rstrip(), file=sys.stderr, flush=True)
            lines.append(line.rstrip())
    if process.returncode:
        raise SetupError(f"`{' '.join(command)}` ended with {process.returncode}")
    return lines if capture else []


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let only one process at a time make this checkout ready; the others wait, then find it done."""
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def perform(todo: list[Step], stamps: Path) -> list[str]:
    """Do the steps that are not done, and return their names; raises SetupError at the first that cannot be done."""
    performed = []
    with exclusive(stamps):
        for step in todo:
            if step.done(stamps):
                continue
            began = time.monotonic()
            print(f"setup: {step.name} ...", file=sys.stderr, flush=True)
            step.do(stamps)
            print(f"setup: {step.name} done in {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
            performed.append(step.name)
    return performed


def main() -> int:
    """Make the checkout ready; 0, or 3 with one line that says what is missing."""
    if sys.version_info < MINIMUM_PYTHON:
        version = platform.python_version()
        print(
            f"setup: Python 3.11 or newer is needed, this is {version}; call: make PYTHON=python3.12", file=sys.stderr
        )
        return 3
    try:
        perform(steps(), STAMPS)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
