"""Names and digests of everything that a verdict depends on: code, configuration, contracts, pins, images, jars."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.environment import Environment
from harness.environment.outline import resolved
from harness.inputs.closure import Sources, files_below
from harness.models.gate import Subject, SubjectKind

PINS = ("constraints.txt", "requirements.txt", "uv.lock", "poetry.lock")
"""Files that decide what is installed, when the project has them."""

PACKAGES = ("dtap-harness", "apache-airflow", "apache-airflow-task-sdk", "pyspark", "delta-spark", "deltalake")
"""What decides how a DAG runs; everything else that is installed is pinned by the files above."""

CONTRACTS = "contracts"
"""Folder of the contracts, beside the environment files."""


@dataclass(frozen=True)
class DagFile:
    """A DAG file, and what it was seen to depend on while it was parsed.

    Args:
        opened: modules and files, absolute; what its text names is found beside them.
    """

    path: Path
    dags: tuple[str, ...]
    opened: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scope:
    """What a gate looks at.

    Args:
        shared: names of the subjects that the run of every DAG depends on.
        proving: the same for its proofs, which may be made in another environment.
        inputs: dag id -> names of the subjects that it alone depends on, besides the shared ones.
        files: dag id -> its file, from the project's root.
    """

    subjects: Mapping[str, Subject]
    shared: tuple[str, ...]
    proving: tuple[str, ...]
    inputs: Mapping[str, tuple[str, ...]]
    files: Mapping[str, str]

    @property
    def digests(self) -> dict[str, str]:
        return {name: subject.sha256 for name, subject in self.subjects.items()}


class Digests:
    """SHA-256 of files, each read once: jars are large, and several environments have the same."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """Return the digest of a file's content, as hex."""
        if path not in self._known:
            with path.open("rb") as file:
                self._known[path] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._known[path]


def gather(
    environment: Environment,
    dags: Sequence[DagFile],
    digests: Digests | None = None,
    before: Environment | None = None,
    proving: Environment | None = None,
) -> Scope:
    """Digest everything that the verdict on these DAGs in this environment depends on.

    Args:
        before: the environment that this one is compared with; evidence of drift is about both.
        proving: the environment that proofs are made in, when not this one.
    """
    project = environment.project.resolve()
    digests = digests or Digests()
    used = [environment] if proving is None or proving.name == environment.name else [environment, proving]
    sources = Sources(project, {dag.path.resolve().parent for dag in dags})
    subjects: dict[str, Subject] = {}

    def add(path: Path, kind: SubjectKind) -> str:
        name = named(path, project)
        if name not in subjects or kind == "dag":
            subjects[name] = Subject(name=name, kind=kind, sha256=digests.of(path))
        return name

    inputs: dict[str, tuple[str, ...]] = {}
    files: dict[str, str] = {}
    for dag in dags:
        here = _inputs(dag, sources, project)
        names = [add(path, "dag" if path == dag.path.resolve() else "input") for path in here]
        for dag_id in dag.dags:
            seeds = [path for one in used for path in _declared(one, dag_id, sources)]
            inputs[dag_id] = tuple(sorted({*names, *(add(path, "input") for path in seeds)}))
            files[dag_id] = named(dag.path, project)
    for path in files_below([project / folder for folder in environment.spec.gate.unit]):
        add(path, "test")
    for path in files_below([environment.folder / CONTRACTS]):
        add(path, "contract")
    pinned = {add(project / pin, "constraints") for pin in PINS if (project / pin).is_file()}
    for subject in packages():
        subjects[subject.name] = subject
        pinned.add(subject.name)
    below = []
    for one in used:
        own = {add(path, "input") for target in _targets(one) for path in sources.of_target(target)}
        for subject in (of_environment(one), *made_of(one, digests)):
            subjects[subject.name] = subject
            own.add(subject.name)
        below.append(tuple(sorted(pinned | own)))
    if before is not None:
        subjects[environment_name(before)] = of_environment(before)
    return Scope(dict(sorted(subjects.items())), below[0], below[-1], inputs, files)


def _inputs(dag: DagFile, sources: Sources, project: Path) -> list[Path]:
    """Return the file and all that it depends on; what it opened outside the project counts as well."""
    opened = [Path(path).resolve() for path in dag.opened]
    own = [path for path in opened if path.is_relative_to(project)]
    elsewhere = [path for path in opened if not path.is_relative_to(project) and path.is_file()]
    return [*sources.closure([dag.path, *own]), *elsewhere]


def _declared(environment: Environment, dag_id: str, sources: Sources) -> list[Path]:
    """Return the code of a DAG's seed: it decides what the DAG is run on."""
    declared = environment.spec.dags.get(dag_id)
    return sources.of_target(declared.seed) if declared and declared.seed else []


def _targets(environment: Environment) -> Iterator[str]:
    """Yield the project's own code that serves the environment: plugins, and upstream systems."""
    yield from environment.spec.plugins
    for service in environment.spec.services.values():
        yield from getattr(service, "apps", {}).values()


def environment_name(environment: Environment) -> str:
    """Return the name of the subject that stands for an environment."""
    return f"environment {environment.name}"


def of_environment(environment: Environment) -> Subject:
    """Digest an environment as it is resolved, without secrets, and without the gate that judges it."""
    text = json.dumps(without_gate(environment), sort_keys=True, default=str)
    return Subject(name=environment_name(environment), kind="environment", sha256=of_bytes(text.encode()))


def without_gate(environment: Environment) -> dict[str, Any]:
    """Return what the environment says but for `gate`, secrets redacted."""
    return {key: value for key, value in resolved(environment).items() if key != "gate"}


def changes(then: Any, now: Any, path: str = "") -> list[str]:
    """Return the dotted names of what differs between two resolved environments; values are not told."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        keys = [*then, *(key for key in now if key not in then)]
        return [found for key in keys for found in changes(then.get(key), now.get(key), f"{path}.{key}".lstrip("."))]
    return [] if then == now else [path]


def packages() -> Iterator[Subject]:
    """Yield what runs the DAGs here, by its version; what is not installed runs nothing."""
    for name, number in versions().items():
        yield Subject(name=f"package {name}", kind="package", sha256=of_bytes(number.encode()))


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide what a run does."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def made_of(environment: Environment, digests: Digests) -> Iterator[Subject]:
    """Yield what the services are made of: images of containers, jars of embedded ones."""
    for name, service in environment.spec.services.items():
        if service.engine == "container":
            yield Subject(name=f"image {name}", kind="image", sha256=_image(service.role, service.image))
    engines = {(service.role, service.engine) for service in environment.spec.services.values()}
    for role in ("kafka", "spark"):
        if (role, "embedded") in engines:
            yield from _jars(role, digests)


def _image(role: str, image: str | None) -> str:
    """Return the digest of an image: the one it is pinned to, else the one that the container engine holds."""
    if image and "@sha256:" in image:
        return image.rpartition("@sha256:")[2]
    from harness.engines.container.docker_engine import connect
    from harness.engines.images import image_for

    client = connect()
    try:
        from harness.environment.service import ServiceSpec

        wanted = image_for(ServiceSpec(role=role, image=image), role, client, lambda line: None)
        return str(client.images.get(wanted).id).removeprefix("sha256:")
    finally:
        client.close()


def _jars(role: str, digests: Digests) -> Iterator[Subject]:
    """Yield the jars that are in the cache; what is not there yet, the start of the service fetches and pins."""
    from harness.engines.jars import cache_dir, fingerprint

    folder = cache_dir() / "jars" / fingerprint() / role
    for path in sorted(folder.glob("*.jar")):
        yield Subject(name=f"jar {role}/{path.name}", kind="jar", sha256=digests.of(path))


def named(path: Path, project: Path) -> str:
    """Return the name of a file as a subject: from the project's root, with slashes; absolute when it is elsewhere."""
    real = path.resolve()
    return real.relative_to(project).as_posix() if real.is_relative_to(project) else os.fspath(real)


def of_bytes(content: bytes) -> str:
    """Return the SHA-256 of a content, as hex."""
    return hashlib.sha256(content).hexdigest()


def unchanged(names: Iterable[str], then: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether all these subjects are what they were."""
    return all(name in then and then[name] == now.get(name) for name in names)
