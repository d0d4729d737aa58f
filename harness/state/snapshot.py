"""What the stores of one namespace hold at one moment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.environment.references import covers
from harness.environment.spec import DagSpec
from harness.models.base import Frozen
from harness.models.snapshot import Dataset, Difference
from harness.services.base import Service

Volatile = Mapping[str, Mapping[str, Collection[str]]]
"""service -> dataset -> columns that may differ from run to run, and are left out of the fingerprint."""


class Snapshot(Frozen):
    """The datasets of a namespace, by service and logical name."""

    datasets: tuple[Dataset, ...] = ()

    def __iter__(self) -> Iterator[Dataset]:  # type: ignore[override]
        return iter(self.datasets)

    def get(self, name: str, service: str | None = None) -> Dataset | None:
        """Return the dataset of that name (of that service, when two have one), or None."""
        return next((one for one in self.datasets if one.name == name and service in (None, one.service)), None)

    def only(self, dag: DagSpec) -> Snapshot:
        """Return what the DAG publishes: its declared outputs, or all but its staging where it declares none."""
        return Snapshot(datasets=tuple(one for one in self.datasets if is_output(one, dag)))


def snapshot(services: Mapping[str, Service[Any]], volatile: Volatile | None = None) -> Snapshot:
    """Read all stores, at the same time, into fingerprints.

    Args:
        services: the services of one namespace.
        volatile: columns to leave out.
    """
    left_out = volatile or {}

    def read(service: Service[Any]) -> list[Dataset]:
        return service.snapshot(volatile=left_out.get(service.name, {}))

    with ThreadPoolExecutor(max_workers=max(len(services), 1)) as pool:
        found = [dataset for datasets in pool.map(read, services.values()) for dataset in datasets]
    return Snapshot(datasets=tuple(sorted(found, key=lambda one: (one.service, one.name))))


def outside(services: Mapping[str, Service[Any]]) -> dict[str, str]:
    """Return what the servers hold beside all namespaces, and for each a mark that every write to it changes.

    Args:
        services: of one namespace; those that it has to itself have nothing beside it.
    """
    with ThreadPoolExecutor(max_workers=max(len(services), 1)) as pool:
        found = pool.map(lambda service: (service.name, service.outside()), services.values())
        return {f"{what} of {name}": mark for name, marks in found for what, mark in marks.items()}


def is_output(dataset: Dataset | Difference, dag: DagSpec) -> bool:
    """Tell whether the DAG publishes this dataset (design: `outputs`, without `staging`)."""
    if _named(dataset, dag.staging):
        return False
    if dataset.kind == "call":
        # a login is a POST too: which calls are an outcome is for the DAG's owner to say
        return _named(dataset, dag.outputs)
    return not dag.outputs or _named(dataset, dag.outputs)


def _named(dataset: Dataset | Difference, patterns: Mapping[str, list[str]]) -> bool:
    return any(covers(pattern, dataset.name) for pattern in patterns.get(dataset.service, []))
