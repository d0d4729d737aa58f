from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scripts import setup
from scripts.setup import SetupError, Step, perform


class Recipe:
    """A step that writes a file and counts how often it had to."""

    def __init__(self, folder: Path) -> None:
        self.inputs = ["pins"]
        self.product = folder / "product"
        self.runs = 0
        self.broken = False

    def step(self) -> Step:
        return Step("recipe", lambda: self.inputs, self.run)

    def run(self) -> list[Path]:
        self.runs += 1
        if self.broken:
            raise SetupError("no network")
        self.product.write_text("made")
        return [self.product]


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    return tmp_path / "stamps"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return Recipe(tmp_path)


def test_a_step_is_done_once(recipe: Recipe, stamps: Path) -> None:
    assert perform([recipe.step()], stamps) == ["recipe"]
    assert perform([recipe.step()], stamps) == []
    assert recipe.runs == 1


def test_a_step_is_done_again_when_its_inputs_change(recipe: Recipe, stamps: Path) -> None:
    perform([recipe.step()], stamps)
    recipe.inputs = ["other pins"]

    assert perform([recipe.step()], stamps) == ["recipe"]


def test_a_step_is_done_again_when_what_it_left_has_vanished(recipe: Recipe, stamps: Path) -> None:
    perform([recipe.step()], stamps)
    recipe.product.unlink()

    assert perform([recipe.step()], stamps) == ["recipe"]
    assert recipe.product.exists()


def test_a_step_that_fails_is_tried_again(recipe: Recipe, stamps: Path) -> None:
    perform([recipe.step()], stamps)
    recipe.inputs, recipe.broken = ["other pins"], True
    with pytest.raises(SetupError, match="no network"):
        perform([recipe.step()], stamps)
    recipe.inputs, recipe.broken = ["pins"], False

    assert perform([recipe.step()], stamps) == ["recipe"]


def test_a_stamp_that_cannot_be_read_counts_as_none(recipe: Recipe, stamps: Path) -> None:
    perform([recipe.step()], stamps)
    (stamps / "recipe").write_text("{")

    assert perform([recipe.step()], stamps) == ["recipe"]


def test_the_steps_after_a_failing_one_are_not_tried(recipe: Recipe, stamps: Path, tmp_path: Path) -> None:
    later = Recipe(tmp_path)
    recipe.broken = True

    with pytest.raises(SetupError):
        perform([recipe.step(), later.step()], stamps)

    assert later.runs == 0


def test_a_command_that_fails_is_quoted_with_its_exit_code() -> None:
    with pytest.raises(SetupError, match=r"`false` ended with 1"):
        setup.call(["false"])


def test_a_command_returns_its_lines_when_they_are_asked_for() -> None:
    assert setup.call(["printf", "one\ntwo\n"], capture=True) == ["one", "two"]


def test_without_java_and_without_the_right_to_install_it_one_line_says_how(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(SetupError, match=r"Java 17 or newer is missing; install it .*openjdk-17"):
        setup.provide_java()


def test_an_environment_of_this_python_in_its_place_is_kept(tmp_path: Path) -> None:
    venv.create(tmp_path / "here", symlinks=True)

    assert setup.usable(tmp_path / "here")


def test_an_environment_that_was_moved_is_made_anew(tmp_path: Path) -> None:
    venv.create(tmp_path / "here", symlinks=True)
    (tmp_path / "here").rename(tmp_path / "there")

    assert not setup.usable(tmp_path / "there")


def test_a_folder_without_an_environment_is_not_usable(tmp_path: Path) -> None:
    assert not setup.usable(tmp_path)


@pytest.mark.parametrize("name", ["pyproject.toml", *setup.ARCHIVED])
def test_every_input_of_a_step_is_a_file_of_the_repository(name: str) -> None:
    assert "".join(setup.content(name))


def test_the_script_needs_nothing_but_the_standard_library() -> None:
    script = Path(setup.__file__)
    code = f"""
import runpy, sys
sys.path.insert(0, {str(script.parents[1])!r})
runpy.run_path({str(script)!r})["find_java"]()
assert "site" not in sys.modules
"""

    subprocess.run([sys.executable, "-S", "-I", "-c", code], check=True)
