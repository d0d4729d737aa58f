"""On what the page's figures were measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """Describe the machine in one line."""
    import psutil

    from harness.doctor.model import gibibytes
    from harness.doctor.runtime import archives, java

    facts = [
        f"{cpu_model()}, {os.cpu_count()} cores, {gibibytes(psutil.virtual_memory().total)}",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, Java {java().seen.partition(' in ')[0]}",
        f"class-data archives: {archives().seen.partition(' in ')[0]}",
        f"load at the beginning {os.getloadavg()[0]:.1f}",
    ]
    return "; ".join(facts)


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, where the system tells it."""
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
