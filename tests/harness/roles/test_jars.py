from __future__ import annotations

from pathlib import Path

import pytest

from harness.engines.jars import cache_dir, fingerprint, jars
from harness.engines.java import find_java
from harness.engines.jvm import archive_flags, archive_path
from harness.errors import ServiceError

NOTHING = """<ivysettings>
  <settings defaultResolver="empty"/>
  <resolvers><filesystem name="empty"><artifact pattern="{folder}/[artifact].[ext]"/></filesystem></resolvers>
</ivysettings>
"""


@pytest.fixture
def java_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """JAVA_HOME, and it is empty."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    return tmp_path


def test_jars_that_are_there_need_neither_java_nor_a_network(
    tmp_path: Path, java_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = cache_dir() / "jars" / fingerprint() / "spark"
    folder.mkdir(parents=True)
    for name in ("b.jar", "a.jar"):
        (folder / name).touch()
    assert jars("spark") == [folder / "a.jar", folder / "b.jar"]


def test_a_jar_that_cannot_be_had_is_named_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "ivysettings.xml"
    settings.write_text(NOTHING.format(folder=tmp_path))
    monkeypatch.setenv("HARNESS_IVY_SETTINGS", str(settings))
    with pytest.raises(ServiceError, match="set HARNESS_IVY_SETTINGS") as told:
        jars("spark", tmp_path / "cache")
    assert any("not found" in line for line in told.value.log)
    assert not (tmp_path / "cache" / "jars" / fingerprint()).exists()


def test_a_mirror_file_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_IVY_SETTINGS", str(tmp_path / "none.xml"))
    with pytest.raises(ServiceError, match=r"none\.xml, which is not a file"):
        jars("kafka", tmp_path / "cache")


def test_a_java_home_without_java_is_told_with_how_to_install_one(java_at: Path) -> None:
    with pytest.raises(ServiceError, match=r"there is no bin/java in it.*apt-get install openjdk-17"):
        find_java()


def test_without_any_java_it_is_told_how_to_install_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="no Java"):
        find_java()


@pytest.mark.parametrize(("version", "accepted"), [("11.0.20+8", False), ("17.0.15+6-Debian", True), ("21", True)])
def test_a_java_is_judged_by_its_release_file(java_at: Path, version: str, accepted: bool) -> None:
    (java_at / "bin").mkdir()
    (java_at / "bin" / "java").touch()
    (java_at / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_RUNTIME_VERSION="{version}"\n')
    if accepted:
        assert find_java().version == version
    else:
        with pytest.raises(ServiceError, match="too old"):
            find_java()


def test_an_archive_fits_one_java_and_one_set_of_jars(tmp_path: Path) -> None:
    java = find_java()
    one, two = tmp_path / "one.jar", tmp_path / "two.jar"
    for jar in (one, two):
        jar.write_bytes(b"x")
    first = archive_path(tmp_path, "spark", java, [one, two])
    assert first == archive_path(tmp_path, "spark", java, [one, two])
    two.write_bytes(b"xy")
    assert first != archive_path(tmp_path, "spark", java, [one, two])
    assert archive_path(tmp_path, "spark", java, [one, two]) != archive_path(tmp_path, "spark", java, [two, one])


def test_an_archive_is_used_only_when_it_is_there(tmp_path: Path) -> None:
    archive = tmp_path / "spark.jsa"
    assert archive_flags(archive) == []
    archive.touch()
    assert f"-XX:SharedArchiveFile={archive}" in archive_flags(archive)
