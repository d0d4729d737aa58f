"""Which servers a namespace is given: shared with others under other names, or for itself under the declared ones.

A name that stands in the code of a DAG reaches the thing of that name in whatever server the DAG is connected to. So a
namespace whose names must be the declared ones has that server to itself: an *instance*, which is emptied when it is
given back. All others share an instance, in which each has names of its own (docs/adr/0005).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from harness.environment.service import ServiceSpec
from harness.errors import ServiceError
from harness.services.base import Service
from harness.services.registry import service_type
from harness.session.fleet import Fleet, Publish

INSTANCES = 3
"""How many instances of a service there are at most; who wants one more waits. A broker or a driver is a gigabyte."""

WAIT_WITHIN = 1800.0
"""Seconds that a namespace waits for an instance."""

EMPTY_WITHIN = 30.0
"""Seconds in which an instance must be empty again; one that is not is ended."""

MAIN = "main"
"""The namespace in which every name is as the environment writes it; once it was opened it stays."""


@dataclass(frozen=True)
class Holder:
    """Who has a namespace.

    Args:
        lease: which client's.
        words: for the one who waits for it.
    """

    lease: int
    words: str


@dataclass(eq=False)
class Instance:
    """One server for each service of a group, and which namespaces are in it.

    Args:
        fleet: what the servers were started by.
        names: of the services.
        ours: they were started here, so that there can be more of them, and they can be emptied.
    """

    fleet: Fleet
    names: tuple[str, ...]
    ours: bool = True
    users: dict[str, Holder] = field(default_factory=dict)
    alone: bool = False

    def admits(self, lease: int, *, alone: bool) -> bool:
        """Tell whether a namespace may move in."""
        if not self.ours:
            # what is not ours is the same for all: one client at a time, with as many namespaces as it likes
            return all(user.lease == lease for user in self.users.values())
        return not self.users if alone else not self.alone

    def services(self) -> Iterator[Service[Any]]:
        """Yield the services; those whose start has failed are missing."""
        yield from (self.fleet.services[name] for name in self.names if name in self.fleet.services)

    def alive(self) -> bool:
        """Tell whether all its servers still run."""
        return all(name in self.fleet.running and self.fleet.running[name].alive() for name in self.names)

    def stop(self) -> None:
        """End its servers."""
        for name in self.names:
            if name in self.fleet.running:
                self.fleet.running[name].stop()


@dataclass(frozen=True)
class Lent:
    """One service as it was given to a namespace; `alone` says that nobody else is in that server."""

    service: Service[Any]
    alone: bool
    ours: bool


class Pool:
    """The instances of a session's services.

    Args:
        fleet: the first instance of every service; it is started by somebody else.
        another: makes the fleet of one more instance of some services, given their names and its number (from 2).
    """

    def __init__(self, fleet: Fleet, another: Callable[[tuple[str, ...], int], Fleet]) -> None:
        self._first = fleet
        self._another = another
        self._changed = threading.Condition()
        self._starter = ThreadPoolExecutor(4, thread_name_prefix="instance")
        self._made = 1
        self._groups: dict[tuple[str, ...], list[Instance]] = {}
        for names in groups({name: spec for name, spec in fleet.specs.items() if not fleet.exclusive(name)}):
            self._groups[names] = [Instance(fleet, names)]
        for name in fleet.specs:
            if fleet.exclusive(name):
                self._groups[name,] = [Instance(fleet, (name,), ours=False)]

    def take(
        self,
        namespace: str,
        holder: Holder,
        alone: Collection[str],
        publish: Publish,
        waiting: Callable[[str, str], None] = lambda service, detail: None,
    ) -> dict[str, Lent]:
        """Give a namespace its services; all at once, so that two who wait never hold what the other wants.

        Args:
            namespace: its name.
            holder: who asks for it.
            alone: services whose server must be nobody else's; those wired to them are given in the same way.
            publish: takes the start of a further instance.
            waiting: is told, while there is none, for which service, and who has it; it may raise to give up.

        Raises:
            ServiceError: a further instance did not start, or none became free in time.
        """
        until = time.monotonic() + WAIT_WITHIN
        with self._changed:
            while not isinstance(chosen := self._choose(holder.lease, alone), dict):
                who = self._holders(chosen)
                waiting(", ".join(chosen), f"all are in use: {who}")
                if time.monotonic() > until:
                    raise ServiceError(
                        f"no {' and '.join(chosen)} became free in {WAIT_WITHIN:.0f} s: {who}",
                        hint="see 'harness status'; 'harness down' ends what is kept",
                    )
                self._changed.wait(0.5)
            fresh = []
            for names, instance in chosen.items():
                if instance is None:
                    self._made += 1
                    instance = Instance(self._another(names, self._made), names)  # noqa: PLW2901
                    self._groups[names].append(instance)
                    fresh.append(instance)
                instance.users[namespace] = holder
                instance.alone = instance.ours and bool(set(names) & set(alone))
        self._start(namespace, fresh, publish)
        return {
            service.name: Lent(service, instance.alone, instance.ours)
            for instance in self._of(namespace)
            for service in instance.services()
        }

    def give_back(self, namespace: str) -> None:
        """Take a namespace's servers back; those that it had to itself are emptied, or ended where that fails."""
        with self._changed:
            mine = self._of(namespace)
        for instance in mine:
            if instance.alone and not _emptied(instance):
                with self._changed:
                    self._groups[instance.names].remove(instance)
                instance.stop()
        with self._changed:
            for instance in mine:
                instance.users.pop(namespace, None)
                instance.alone = instance.alone and bool(instance.users)
            self._changed.notify_all()

    def of(self, namespace: str) -> dict[str, Instance]:
        """Return the instance that a namespace uses, for each service; the first ones for a name that is not known."""
        with self._changed:
            mine = self._of(namespace) or [instances[0] for instances in self._groups.values() if instances]
        return {name: instance for instance in mine for name in instance.names}

    def instances(self) -> list[Instance]:
        """Return all of them."""
        with self._changed:
            return [instance for instances in self._groups.values() for instance in instances]

    def fleets(self) -> list[Fleet]:
        """Return what all instances were started by, the first of all first."""
        further = {id(one.fleet): one.fleet for one in self.instances() if one.fleet is not self._first}
        return [self._first, *further.values()]

    # -- with the lock held

    def _of(self, namespace: str) -> list[Instance]:
        return [one for instances in self._groups.values() for one in instances if namespace in one.users]

    def _choose(self, lease: int, alone: Collection[str]) -> dict[tuple[str, ...], Instance | None] | tuple[str, ...]:
        """Return an instance for each group, None where one more is to be started; or the group to be waited for.

        A shared one that is in use comes first, then an idle one: what is idle may be wanted alone.
        """
        chosen: dict[tuple[str, ...], Instance | None] = {}
        for names, instances in self._groups.items():
            wanted = bool(set(names) & set(alone))
            fitting = [one for one in instances if one.admits(lease, alone=wanted)]
            if wanted:
                # one that has died cannot be emptied either; who shares it is told of it by its own use
                fitting = [one for one in fitting if one.alive()]
            fitting.sort(key=lambda one: not one.users)
            if not fitting and (len(instances) >= INSTANCES or not all(one.ours for one in instances)):
                return names
            chosen[names] = fitting[0] if fitting else None
        return chosen

    def _holders(self, names: tuple[str, ...]) -> str:
        users = {user.words for one in self._groups[names] for user in one.users.values()}
        return ", ".join(sorted(users)) or "nobody yet"

    # -- without it

    def _start(self, namespace: str, fresh: list[Instance], publish: Publish) -> None:
        """Start further instances, on the pool's threads: Linux ends a child with the thread that spawned it."""
        futures: list[Future[None]] = [self._starter.submit(one.fleet.start, publish) for one in fresh]
        failure: BaseException | None = None
        for future, instance in zip(futures, fresh, strict=True):
            try:
                future.result()
            except BaseException as error:  # noqa: BLE001 - every start is waited for before the first error is told
                failure = failure or error
                with self._changed:
                    self._groups[instance.names].remove(instance)
        if failure is not None:
            self.give_back(namespace)
            raise failure


def groups(specs: Mapping[str, tuple[str, ServiceSpec]]) -> list[tuple[str, ...]]:
    """Return which services belong together: one that is wired to others (Spark to its stores) goes with them.

    Args:
        specs: service name -> (role, what the environment says).
    """
    found: list[set[str]] = []
    for name, (role, _) in specs.items():
        linked = {other for other, (kind, _) in specs.items() if kind in service_type(role).linked}
        together = {name} | linked
        apart = []
        for group in found:
            if group & together:
                together |= group
            else:
                apart.append(group)
        found = [*apart, together]
    return [tuple(name for name in specs if name in group) for group in found]


def _emptied(instance: Instance) -> bool:
    """Empty what a namespace had to itself; tell whether it is as good as new."""
    if not instance.alive():
        return False
    done: list[bool] = []
    emptier = threading.Thread(target=lambda: done.append(_empty(instance)), daemon=True)
    emptier.start()
    emptier.join(EMPTY_WITHIN)
    return done == [True]


def _empty(instance: Instance) -> bool:
    for service in instance.services():
        try:
            if service.named:
                service.empty()
            service.release()
        except Exception as error:  # noqa: BLE001 - every client library has errors of its own; a new server has none
            print(f"{service.name} was not emptied: {error}", file=sys.stderr)  # noqa: T201 - the daemon's log
            return False
    return True
