"""Which checks there are, by the part of the machine that they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from harness.doctor import containers, machine, packages, runtime
from harness.doctor.model import Finding
from harness.errors import ConfigError

Check = Callable[[], Finding]

GROUPS: Mapping[str, tuple[Check, ...]] = {
    "machine": (
        machine.python,
        machine.memory,
        machine.disk,
        machine.temporary_folder,
        machine.loopback,
        machine.open_files,
    ),
    "packages": (packages.requirements, packages.extras, packages.pyspark),
    "java": (runtime.java, runtime.jars, runtime.archives),
    "tools": (runtime.minio, runtime.libfaketime),
    "docker": (containers.docker,),
}


def diagnose(groups: Iterable[str] = ()) -> list[Finding]:
    """Run the checks of the named groups, or of all of them, in the order of the table.

    Raises:
        ConfigError: there is no group of that name.
    """
    asked = list(groups) or list(GROUPS)
    for name in asked:
        if name not in GROUPS:
            raise ConfigError(f"there is no group of checks named {name!r}", hint=f"there are {', '.join(GROUPS)}")
    return [check() for name in GROUPS if name in asked for check in GROUPS[name]]
