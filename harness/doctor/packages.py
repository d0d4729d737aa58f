"""Checks of the installed packages: what the distribution asks for, and whether two of them overwrote each other."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from harness.doctor.model import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "dtap-harness"
EXTRAS = ("spark", "kafka", "containers")


def requirements() -> Finding:
    """Compare what the core asks for with what is installed."""
    unmet = list(_unmet(""))
    seen = "; ".join(unmet) or f"Airflow {_version('apache-airflow')}, and all other packages as asked for"
    how = f"pip install --upgrade {DISTRIBUTION}" if unmet else ""
    return Finding("packages", "missing" if unmet else "ok", seen, "everything", how)


def extras(names: Sequence[str] = EXTRAS) -> Finding:
    """Tell which of the optional sets of packages are complete."""
    absent = [name for name in names if any(_unmet(name))]
    present = [name for name in names if name not in absent]
    seen = f"with {', '.join(present) or 'none'}" + (f"; without {', '.join(absent)}" if absent else "")
    how = f"pip install '{DISTRIBUTION}[{','.join(absent)}]'" if absent else ""
    return Finding("optional packages", "warn" if absent else "ok", seen, "the services of the same names", how)


def _unmet(extra: str) -> Iterator[str]:
    """Yield a line for each requirement of the core (extra: "") or of one extra that is absent or too old or new."""
    for requirement in _asked(extra):
        version = _version(requirement.name)
        if version is None:
            yield f"{requirement.name} is not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, and {requirement.specifier} is asked for"


def _asked(extra: str) -> Iterator[Requirement]:
    from packaging.requirements import Requirement

    for line in metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        belongs = extra == "" if marker is None else marker.evaluate({"extra": extra})
        if belongs and (extra == "" or "extra" in str(marker)):
            yield requirement


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def pyspark() -> Finding:
    """Judge the installed pyspark, without importing it."""
    spec = importlib.util.find_spec("pyspark")
    folder = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
    return judge_pyspark(_version("pyspark"), _version("pyspark-client"), folder)


def judge_pyspark(classic: str | None, client: str | None, folder: Path | None) -> Finding:
    """Tell whether what lies on disk is a whole pyspark of one version.

    Airflow's Spark provider asks for pyspark-client, whose files overlap those of pyspark: whichever is installed last
    wins, and the uninstallation of one damages the other.

    Args:
        classic: version of the distribution pyspark.
        client: version of the distribution pyspark-client.
        folder: the import package.
    """
    needed = "the spark service"
    if classic is None or folder is None:
        return Finding("pyspark", "warn", "not installed", needed, f"pip install '{DISTRIBUTION}[spark,kafka]'")
    how = f"pip install --force-reinstall --no-deps pyspark=={classic} pyspark-client=={classic}"
    if client is not None and client != classic:
        return Finding("pyspark", "missing", f"pyspark {classic} lies over pyspark-client {client}", needed, how)
    on_disk = re.findall(r"^__version__.*['\"](.+)['\"]", _text(folder / "version.py"), re.MULTILINE)
    if on_disk != [classic] or not any((folder / "jars").glob("spark-core_*.jar")):
        return Finding("pyspark", "missing", f"pyspark {classic} was damaged by another package", needed, how)
    return Finding("pyspark", "ok", f"{classic}, in agreement with pyspark-client" if client else classic, needed)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
