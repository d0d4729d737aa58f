"""What the last check found out about each file, for files none of whose inputs has changed since.

An input is the file itself, every module of the project that it imports, and every file that it opened while it was
loaded; they are compared by content. What holds for all files (rules, settings, installed packages, Airflow's
configuration) is in the cache's name.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pydantic import Field, TypeAdapter, ValidationError

from harness.checks.config import Settings
from harness.checks.facts import FileFacts
from harness.models.base import Frozen

KEPT = 20
"""Caches that are kept: one for each project, branch of settings and environment that is in use."""


class Entry(Frozen):
    """One file: what was found, and what it depends on.

    Args:
        inputs: absolute path of each input to the digest of its content; None for one that was not there.
    """

    facts: FileFacts
    inputs: dict[str, str | None] = Field(default_factory=dict)


_ENTRIES = TypeAdapter(dict[str, Entry])


class Cache:
    """The entries of one project.

    Args:
        file: where they are kept; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.entries = self._read() if file is not None else {}
        self._digests: dict[str, str | None] = {}

    def _read(self) -> dict[str, Entry]:
        assert self.file is not None
        try:
            return _ENTRIES.validate_json(self.file.read_bytes())
        except (OSError, ValidationError):
            return {}

    def get(self, path: str) -> FileFacts | None:
        """Return what is known of a file, when all its inputs are what they were."""
        entry = self.entries.get(path)
        if entry is None or any(self.digest(name) != digest for name, digest in entry.inputs.items()):
            return None
        return entry.facts

    def put(self, path: str, facts: FileFacts, inputs: Iterable[str]) -> None:
        """Keep what was found out about a file that depends on `inputs`, besides itself."""
        every = {str(Path(path).resolve()), *inputs}
        self.entries[path] = Entry(facts=facts, inputs={name: self.digest(name) for name in sorted(every)})

    def digest(self, path: str) -> str | None:
        """Return the digest of a file's content; None when there is no such file."""
        if path not in self._digests:
            try:
                self._digests[path] = hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()
            except OSError:
                self._digests[path] = None
        return self._digests[path]

    def save(self, paths: Iterable[str]) -> None:
        """Write the entries of these files; others are gone from the project."""
        if self.file is None:
            return
        kept = {path: self.entries[path] for path in paths if path in self.entries}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(_ENTRIES.dump_json(kept))
        temporary.replace(self.file)
        _forget(self.file.parent)


def cache_for(settings: Settings, roots: Iterable[Path], **more: Any) -> Cache:
    """Return the cache of a project under these circumstances.

    Args:
        more: whatever else makes a difference to what is found in a file.
    """
    circumstances = {
        "settings": settings.model_dump(mode="json", exclude={"ignore", "per_path", "fail_on"}),
        "roots": [str(root) for root in roots],
        "here": str(Path.cwd()),
        "python": sys.version,
        "packages": _packages(),
        "rules": _sources(),
        "airflow": {k: v for k, v in os.environ.items() if k.startswith("AIRFLOW")},
        **more,
    }
    text = json.dumps(circumstances, sort_keys=True, default=str)
    return Cache(folder() / f"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}.json")


def folder() -> Path:
    """Return the folder of all caches of checks."""
    return user_cache_path("dtap-harness") / "check"


def _packages() -> list[str]:
    """Return what is installed: names and versions of all distributions."""
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    found = (entry.name for place in places for entry in os.scandir(place))
    return sorted(name for name in found if name.endswith((".dist-info", ".egg-link")))


def _sources() -> Mapping[str, tuple[int, int]]:
    """Return a mark of the rules themselves, which change while somebody works on them."""
    root = Path(__file__).parent.parent
    files = [*(root / "checks").rglob("*.py"), *(root / "inputs").glob("*.py"), *(root / "_compat").glob("*.py")]
    return {str(f.relative_to(root)): (f.stat().st_mtime_ns, f.stat().st_size) for f in sorted(files)}


def _forget(place: Path) -> None:
    """Remove the caches that have not been used for longest."""
    files = sorted(place.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        file.unlink(missing_ok=True)
