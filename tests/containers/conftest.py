from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engines.base import Place
from harness.engines.container.remains import remove
from harness.engines.images import ImageRecipe, holds, recipe_for, recipes
from harness.engines.jars import cache_dir
from harness.errors import ServiceError


@pytest.fixture(scope="session")
def docker_client() -> Any:
    """The engine; without one that answers, everything here is skipped."""
    from harness.engines.container.docker_engine import connect

    try:
        return connect()
    except ServiceError as error:
        pytest.skip(f"no test on containers: {error}")


@pytest.fixture(scope="session")
def built(docker_client: Any) -> Callable[[str], str]:
    """The name of an image that was built here; the test is skipped where it was not."""

    def name_of(image: str) -> str:
        tag = recipe_for(image).tag
        if not holds(docker_client, tag):
            pytest.skip(f"{tag} is not built; `harness images build {image}` does it")
        return tag

    return name_of


@pytest.fixture(scope="session", params=list(recipes()))
def recipe(request: pytest.FixtureRequest) -> ImageRecipe:
    return recipe_for(request.param)


@pytest.fixture(scope="session")
def image_name(recipe: ImageRecipe, built: Callable[[str], str]) -> str:
    return built(recipe.name)


@pytest.fixture(scope="session")
def some_image(built: Callable[[str], str]) -> str:
    """An image to make containers of."""
    return built("minio")


@pytest.fixture
def place(tmp_path: Path, docker_client: Any) -> Iterator[Place]:
    """Where an engine may work; what it leaves in the container engine is removed when the test ends."""
    session = f"test-{uuid.uuid4().hex[:12]}"
    folder = tmp_path / "service"
    folder.mkdir()
    yield Place(folder, cache_dir(), Path(__file__).resolve().parents[2], session)
    remove(session)
