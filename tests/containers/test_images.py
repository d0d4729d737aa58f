from __future__ import annotations

from typing import Any

import pytest
from pytest_docker_tools import container, image

from harness.engines.images import MINIO_VERSION, ImageRecipe, pyspark_version, recipe_for
from harness.engines.jars import jars
from harness.errors import ConfigError

built_image = image(name="{image_name}")
shell = container(image="{image_name}", entrypoint=["sleep"], command=["3600"], scope="session")

#: megabytes; what each is today and a quarter
LARGEST = {"postgres": 170, "minio": 280, "kafka": 470, "spark": 1080}

BUILD_TOOLS = ["gcc", "cc", "make", "go", "javac", "pip", "pip3", "git", "curl", "wget"]

VERSIONS = {
    "postgres": (["postgres", "--version"], "18.4"),
    "minio": (["minio", "--version"], "minio version"),
    "kafka": (["ls", "/opt/kafka/libs"], "kafka_2.13-4.1.0.jar"),
    "spark": (["ls", "/opt/spark/jars"], f"spark-core_2.13-{pyspark_version()}.jar"),
}


def said(shell: Any, *command: str) -> str:
    code, output = shell.exec_run(list(command))
    assert code == 0, output
    return str(output.decode())


def test_an_image_runs_as_an_ordinary_user(built_image: Any, shell: Any) -> None:
    assert built_image.attrs["Config"]["User"] == "10001"
    assert said(shell, "id", "-u").strip() == "10001"


def test_an_image_is_small(built_image: Any, recipe: ImageRecipe) -> None:
    assert built_image.attrs["Size"] / 1e6 < LARGEST[recipe.name]


def test_an_image_holds_the_pinned_version(shell: Any, recipe: ImageRecipe) -> None:
    command, expected = VERSIONS[recipe.name]
    assert expected in said(shell, *command)


@pytest.mark.parametrize("tool", BUILD_TOOLS)
def test_no_build_tool_is_left(shell: Any, tool: str) -> None:
    code, output = shell.exec_run(["sh", "-c", f"command -v {tool}"])
    assert (code, output) == (127, b"")


def test_no_list_of_packages_is_left(shell: Any) -> None:
    assert said(shell, "find", "/var/lib/apt/lists", "/var/cache/apt", "-type", "f").strip() == ""


def test_no_setting_of_the_building_host_is_left(built_image: Any) -> None:
    kept = [*built_image.attrs["Config"]["Env"], *(step["CreatedBy"] for step in built_image.history())]
    assert [text for text in kept if "proxy" in text.lower() or "http:" in text or "https:" in text] == []


def test_an_image_says_what_it_was_built_from(built_image: Any, recipe: ImageRecipe) -> None:
    assert built_image.labels["harness.image"] == recipe.name


def test_spark_has_the_jars_that_the_driver_has(docker_client: Any, built: Any) -> None:
    listed = docker_client.containers.run(built("spark"), ["ls", "/opt/spark/jars"], remove=True).decode().split()
    assert {jar.name for jar in jars("spark")} <= set(listed)


def test_a_name_changes_with_what_decides_the_image(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "minio").mkdir()
    dockerfile = tmp_path / "minio" / "Dockerfile"
    dockerfile.write_text("FROM one")
    monkeypatch.setattr("harness.engines.images.images_folder", lambda: tmp_path)
    recipe = ImageRecipe("minio", "s3", "official", lambda: MINIO_VERSION)
    newer = ImageRecipe("minio", "s3", "official", lambda: "v9")
    first = recipe.tag
    assert recipe.tag == first
    assert newer.tag != first
    dockerfile.write_text("FROM two")
    assert recipe.tag != first


def test_an_image_is_found_by_its_name_and_by_its_role() -> None:
    assert recipe_for("s3").name == recipe_for("minio").name == "minio"


def test_an_unknown_image_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="postgres, minio, kafka, spark"):
        recipe_for("mysql")
