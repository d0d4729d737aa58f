"""Which files of a folder are DAG files, as Airflow itself would choose them."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.checks.project import Loaded
from harness.errors import ConfigError

MAX_BYTES = 2_000_000
"""A DAG file is text that people write; what is larger is data under the wrong name."""

IGNORE_FILE = ".airflowignore"
_SKIPPED = frozenset(("__pycache__", "node_modules", ".git", ".harness", ".venv", ".tox", ".ipynb_checkpoints"))


@dataclass
class Found:
    """What there is to check.

    Args:
        files: DAG files, as they were named or found.
        archives: zip files with DAGs, which can only be loaded.
        problems: what could not be read.
        roots: folders that modules are imported from.
    """

    files: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    problems: list[Loaded] = field(default_factory=list)
    roots: list[Path] = field(default_factory=list)


def find_files(paths: Sequence[Path], project: Path | None = None) -> Found:
    """Return the DAG files at or below some paths.

    A file that is named is taken whatever is in it; below a folder, `.airflowignore` counts, and a file is a DAG file
    when it has both words `dag` and `airflow` in it, as in Airflow's safe mode.

    Args:
        project: root that modules are imported from as well.

    Raises:
        ConfigError: a path does not exist.
    """
    found = Found()
    for path in paths:
        if path.is_dir():
            found.roots.append(path)
            for file in _below(path, found, [], set()):
                _add(found, file, named=False)
        elif path.exists():
            found.roots.append(path.parent)
            _add(found, path, named=True)
        else:
            raise ConfigError(f"there is no {path}", hint="name a folder of DAG files, or a DAG file")
    if project is not None:
        found.roots.append(project)
    found.files = sorted(dict.fromkeys(found.files))
    found.roots = list(dict.fromkeys(root.resolve() for root in found.roots))
    return found


def _below(folder: Path, found: Found, patterns: list[tuple[Path, str]], seen: set[Path]) -> Iterator[Path]:
    """Yield the files below a folder; a link that leads back to where we come from is not followed."""
    real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    inner = [*patterns, *_patterns(folder)]
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found.problems.append(_unreadable(str(folder), error))
        return
    for entry in entries:
        path = Path(entry.path)
        # unlike the entry's own, this one takes a link to itself for no folder
        is_folder = path.is_dir()
        if entry.name in _SKIPPED or _ignored(path, inner, is_folder=is_folder):
            continue
        if is_folder:
            if not (path / "pyvenv.cfg").exists():
                yield from _below(path, found, inner, seen)
        elif entry.name.endswith((".py", ".zip")):
            yield path


def _patterns(folder: Path) -> list[tuple[Path, str]]:
    file = folder / IGNORE_FILE
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [(folder, pattern) for line in lines if (pattern := re.sub(r"\s*#.*", "", line)).strip()]


def _ignored(path: Path, patterns: list[tuple[Path, str]], *, is_folder: bool) -> bool:
    """Say whether the ignore files above a path leave it out; later lines win.

    Source: Airflow's own reading of the glob syntax (`_shared.module_loading.file_discovery`): a pattern without a
    separator in it is held against the name alone, and one with a separator at its end means folders only, so that
    `!abc/` takes back a folder and not what is in it.
    """
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    ignored = False
    for folder, line in patterns:
        pattern = GitIgnoreSpecPattern(line)
        if line.rstrip().endswith("/") and not is_folder:
            continue
        below = line.startswith("/") or "/" in line.rstrip().rstrip("/")
        relative = (path.relative_to(folder).as_posix() if below else path.name) + ("/" if is_folder else "")
        if pattern.include is not None and pattern.match_file(relative) is not None:
            ignored = bool(pattern.include)
    return ignored


def _add(found: Found, path: Path, *, named: bool) -> None:
    shown = str(path)
    if path.suffix == ".zip":
        if zipfile.is_zipfile(path):
            found.archives.append(shown)
        return
    try:
        about = path.stat()
        size = about.st_size
        if not stat.S_ISREG(about.st_mode):
            found.problems.append(Loaded(shown, error="cannot be read: it is no regular file", ended="unreadable"))
            return
        if size > MAX_BYTES:
            problem = f"the file has {size / 1e6:.1f} MB, which no DAG file has"
            found.problems.append(Loaded(shown, error=problem, ended="unreadable"))
            return
        content = path.read_bytes()
    except OSError as error:
        found.problems.append(_unreadable(shown, error))
        return
    lowered = content.lower()
    if named or (b"dag" in lowered and b"airflow" in lowered):
        found.files.append(shown)


def _unreadable(shown: str, error: OSError) -> Loaded:
    return Loaded(shown, error=f"cannot be read: {error.strerror}", ended="unreadable")
