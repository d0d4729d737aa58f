"""Where evidence is kept: `.harness/evidence`, a file for each stage and commit, written once and never again."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.errors import ConfigError
from harness.gate.evidence import SUFFIX, open_claim
from harness.models.gate import Claim

NOWHERE = "nocommit"
"""In the place of a commit, where there is no git repository."""


def folder(project: Path) -> Path:
    """Return the folder of a project's evidence."""
    return project.resolve() / ".harness" / "evidence"


def write(project: Path, environment: str, commit: str, content: bytes) -> Path:
    """Keep evidence: complete or not at all, and under a name of its own.

    The second file of a stage and commit (something that is not in the commit has changed, or it failed) is `-2`.
    """
    place = folder(project)
    place.mkdir(parents=True, exist_ok=True)
    temporary = place / f".{environment}.{os.getpid()}.tmp"
    temporary.write_bytes(content)
    number = 1
    try:
        while True:
            last = "" if number == 1 else f"-{number}"
            target = place / f"{environment}-{commit[:12] or NOWHERE}{last}{SUFFIX}"
            try:
                # a link fails where a rename would replace what is there
                os.link(temporary, target)
            except FileExistsError:
                number += 1
                continue
            return target
    finally:
        temporary.unlink()


def find(project: Path, environment: str, commit: str | None = None) -> list[Path]:
    """Return the evidence files of a stage, the newest first; of one commit alone, when that is given."""
    wanted = "[0-9a-f]{1,12}|" + NOWHERE if commit is None else re.escape(commit[:12] or NOWHERE)
    shape = re.compile(rf"{re.escape(environment)}-(?:{wanted})(?:-(\d+))?{re.escape(SUFFIX)}")
    return _newest_first(path for path in folder(project).glob(f"*{SUFFIX}") if shape.fullmatch(path.name))


def claims(project: Path, environment: str, keys: Sequence[Path] = ()) -> Iterable[Claim]:
    """Yield the evidence of a stage that can be read, the newest first."""
    return _readable(find(project, environment), keys)


def every(project: Path, keys: Sequence[Path] = ()) -> list[Claim]:
    """Return the evidence of all stages that can be read, the newest first."""
    return list(_readable(_newest_first(folder(project).glob(f"*{SUFFIX}")), keys))


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def _readable(paths: Iterable[Path], keys: Sequence[Path]) -> Iterator[Claim]:
    for path in paths:
        try:
            yield open_claim(path, keys)
        except ConfigError:
            continue


def newest(project: Path, environment: str, keys: Sequence[Path], commit: str) -> Claim | None:
    """Return the evidence to judge: the newest of this commit, else of any; None when there is none.

    Raises:
        ConfigError: the newest of this commit cannot be read: it was damaged, and older evidence is no answer to that.
    """
    same = find(project, environment, commit)
    if same:
        return open_claim(same[0], keys)
    return next(iter(claims(project, environment, keys)), None)


def commit_of(project: Path) -> str:
    """Return the commit that is checked out; empty where there is no repository, or no commit in it."""
    done = _git(project, "rev-parse", "--verify", "--quiet", "HEAD")
    return done.strip() if done else ""


def dirty(project: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the files that are not as the commit has them."""
    status = _git(project, "status", "--porcelain", "--untracked-files=all", "--no-renames", "-z", "--", ".") or ""
    prefix = (_git(project, "rev-parse", "--show-prefix") or "").strip()
    changed = {entry[3:].removeprefix(prefix) for entry in status.split("\0") if len(entry) > 3}
    return tuple(name for name in names if name in changed)


def _git(project: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *words], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
