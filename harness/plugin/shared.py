"""Runs that several tests judge: made once for each environment, in a namespace that all these tests read.

Which ones a test judges is said by its marker: `@pytest.mark.dag_runs("orders", "2026-01-02", "2026-01-01")`. Workers
of xdist share them through a folder: the one that made them holds the namespace as long as another may ask for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.api import Session
    from harness.models.run import RunReport
    from harness.session.client import Namespace
    from harness.state import Snapshot

MARKER = "dag_runs"
DONE_WITHIN = 600.0
"""Seconds for which a worker that has no more tests waits for those of the others that may judge its runs."""


@dataclass(frozen=True)
class Asked:
    """The runs that a test judges: arguments of `Session.run`, in order, `dag_id` among them."""

    runs: tuple[Mapping[str, Any], ...]

    @property
    def dag_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run["dag_id"] for run in self.runs))

    @property
    def digest(self) -> str:
        """The same for the same runs, whatever process asks."""
        return hashlib.sha256(json.dumps(self.runs, sort_keys=True, default=str).encode()).hexdigest()[:12]


def asked_by(item: pytest.Item) -> Asked | None:
    """Return the runs that a test's marker names, or None when it has none.

    Raises:
        pytest.UsageError: the marker does not name a DAG and at least one run of it.
    """
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return None
    dag_id, *runs = (*marker.args, None)
    if not isinstance(dag_id, str) or len(runs) < 2 or marker.kwargs:
        raise pytest.UsageError(f'{item.nodeid}: a DAG and its runs are wanted: {MARKER}("orders", "2026-01-02", ...)')
    return Asked(tuple({"dag_id": dag_id, **_options(run)} for run in runs[:-1]))


def _options(run: Any) -> dict[str, Any]:
    return {"date": str(run)} if isinstance(run, str | date) else dict(run)


def side_by_side(items: list[pytest.Item]) -> None:
    """Put tests of a file that judge the same runs one after the other, where the first of them stands."""
    first: dict[object, int] = {}
    places = {}
    for place, item in enumerate(items):
        asked = asked_by(item)
        same = (item.path, _environment(item), asked.digest) if asked else item
        places[item] = first.setdefault(same, place)
    items.sort(key=places.__getitem__)


def at_work(items: list[pytest.Item], folder: Path, worker: str) -> list[int]:
    """Say, as long as the open files are, that a worker may ask for the runs that tests judge in their environments."""
    found = []
    for environment in sorted({_environment(item) for item in items if asked_by(item)}):
        place = folder / environment / "workers"
        place.mkdir(parents=True, exist_ok=True)
        lock = _locked(place / worker, fcntl.LOCK_EX)
        assert lock is not None
        found.append(lock)
    return found


def _environment(item: pytest.Item) -> Any:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("environment_name") if callspec is not None else None


@dataclass
class Held:
    """Runs that were made, and the hold on their namespace.

    Args:
        folder: where other workers find them.
        opened: the namespace; services in it are ours, and each test gets its own.
        reports: of the runs, in order.
        lock: an open file, which the kernel unlocks when this process ends, however that happens.
        after: what the stores held after the last run; None where another worker made it.
        used_by: tests of this process that have judged them.
    """

    folder: Path
    opened: Namespace
    reports: tuple[RunReport, ...]
    lock: int
    after: Snapshot | None
    used_by: list[str] = field(default_factory=list)


class SharedRuns:
    """The shared runs of one environment, as one process uses them.

    Args:
        session: in which they are made.
        folder: of this environment, for all workers.
        deadline: seconds for each run that names none.
        at_work: this worker's word that it may ask for runs (`at_work`), which is taken back with its last test.
    """

    def __init__(self, session: Session, folder: Path, deadline: float, at_work: list[int]) -> None:
        self._session, self._folder, self._deadline, self._at_work = session, folder, deadline, at_work
        self.last = False
        self._held: dict[str, Held] = {}
        self._failed: dict[str, Exception] = {}
        self._told: list[str] = []

    @contextmanager
    def lent(self, asked: Asked, test: str) -> Iterator[Namespace]:
        """Lend the namespace in which the runs were made to a test, with services of its own."""
        held = self.take(asked)
        held.used_by.append(test)
        opened = _attached(self._session, held.opened.name, held.opened.refs)
        try:
            yield opened
        finally:
            for service in opened.services.values():
                service.release()

    def take(self, asked: Asked) -> Held:
        """Return the runs, making them when nobody has; raises what making them raised, without trying it again."""
        if error := self._failed.get(asked.digest):
            raise error
        if asked.digest not in self._held:
            try:
                self._held[asked.digest] = self._found_or_made(asked)
            except Exception as error:
                self._failed[asked.digest] = error
                raise
        return self._held[asked.digest]

    def _found_or_made(self, asked: Asked) -> Held:
        folder = self._folder / asked.digest
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, within=self._deadline * len(asked.runs) + DONE_WITHIN):
            return self._found(folder) or self._made(folder, asked)

    def _found(self, folder: Path) -> Held | None:
        from harness.models.run import RunReport
        from harness.models.service import ServiceRef

        made = folder / "made.json"
        if not made.exists() or _locked(folder / "owner", fcntl.LOCK_SH) is not None:
            return None  # nobody has made them, or who did is gone, and the namespace with it
        known = json.loads(made.read_text(encoding="utf-8"))
        lock = _locked(folder / "readers", fcntl.LOCK_SH)
        assert lock is not None
        refs = {name: ServiceRef.model_validate(ref) for name, ref in known["refs"].items()}
        reports = tuple(RunReport.model_validate(one) for one in known["reports"])
        return Held(folder, _attached(self._session, known["name"], refs), reports, lock, after=None)

    def _made(self, folder: Path, asked: Asked) -> Held:
        from harness.state import snapshot

        owner = _locked(folder / "owner", fcntl.LOCK_EX)
        assert owner is not None
        alone = {one.service for one in self._session.named(asked.dag_ids)}
        opened = self._session.open_namespace(alone=alone)
        try:
            reports = tuple(
                self._session.run(namespace=opened, **{"deadline": self._deadline, **run}) for run in asked.runs
            )
            after = snapshot(opened.services)
        except BaseException:
            self._session.close_namespace(opened.name)
            os.close(owner)
            raise
        known = {
            "name": opened.name,
            "refs": {name: ref.model_dump(mode="json") for name, ref in opened.refs.items()},
            "reports": [report.model_dump(mode="json", by_alias=True) for report in reports],
        }
        (folder / "made.json").write_text(json.dumps(known), encoding="utf-8")
        return Held(folder, opened, reports, owner, after)

    def let_go(self, but: Asked | None) -> None:
        """Let go of namespaces of others and of such as keep servers from others, but for what the next test judges."""
        for digest, held in list(self._held.items()):
            if (held.after is None or held.opened.alone) and (but is None or but.digest != digest):
                self._told.append(self._close(digest))

    def close(self) -> None:
        """Let go of all of it, when nobody can ask for it any more.

        What others made comes first, and after the last test we say that we are done, so that no two wait for each
        other.

        Raises:
            pytest.fail.Exception: a test has changed what others judge; after everything was closed.
        """
        if self.last:
            while self._at_work:
                os.close(self._at_work.pop())
            for worker in (self._folder / "workers").glob("*"):
                _wait_for(worker, within=DONE_WITHIN)
        self._told += [
            self._close(digest) for digest in sorted(self._held, key=lambda one: bool(self._held[one].after))
        ]
        if changes := "\n".join(filter(None, self._told)):
            pytest.fail(changes, pytrace=False)

    def _close(self, digest: str) -> str:
        held = self._held.pop(digest)
        if held.after is None:
            os.close(held.lock)
            return ""
        from harness.state import diff, in_words, snapshot

        with _alone(held.folder, within=DONE_WITHIN):
            (held.folder / "made.json").unlink()
        _wait_for(held.folder / "readers", within=DONE_WITHIN)
        changed = [in_words(one) for one in diff(held.after, snapshot(held.opened.services))]
        for service in held.opened.services.values():
            service.release()
        self._session.close_namespace(held.opened.name)
        os.close(held.lock)
        if not changed:
            return ""
        return f"runs that tests share are for judging; what they left was changed: {'; '.join(changed)}; one of " + (
            ", ".join(dict.fromkeys(held.used_by))
        )


def _attached(session: Session, name: str, refs: Mapping[str, Any]) -> Namespace:
    """Return a namespace as a process sees it that has not opened it."""
    from harness.services.registry import rebuild
    from harness.session.client import Namespace
    from harness.session.naming import airflow_environ

    services = {key: rebuild(key, ref) for key, ref in refs.items()}
    return Namespace(name, services, dict(refs), airflow_environ(session.environment.spec, services))


@contextmanager
def _alone(folder: Path, within: float) -> Iterator[None]:
    from filelock import FileLock

    with FileLock(folder / "lock").acquire(timeout=within):
        yield


def _locked(path: Path, kind: int) -> int | None:
    """Return an open file with a lock of that kind on it, or None when somebody's lock is in the way."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _wait_for(path: Path, within: float) -> None:
    """Wait until nobody has a lock on a file, for so many seconds."""
    until = time.monotonic() + within
    while (file := _locked(path, fcntl.LOCK_EX)) is None:
        if time.monotonic() > until:
            return  # who holds it has hung: its own time limit says so
        time.sleep(0.05)
    os.close(file)
