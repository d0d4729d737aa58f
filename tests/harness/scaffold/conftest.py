from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.cli.main import main

HERE = Path(__file__).parent

#: project -> the seeds of its DAGs, which are all that its author fills in
SEEDS = {
    "astro": {"orders_emea": "orders", "orders_amer": "orders", "weekly_report": "revenue"},
    "whirl": {"orders_to_s3": "orders", "s3_to_postgres": "files"},
    "plain": {"meter_readings": "readings", "monthly_average": None, "monthly_reminder": None},
}


@pytest.fixture(scope="module", params=list(SEEDS))
def adopted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that somebody else wrote, after `harness init`; its folder is named by its shape."""
    project = tmp_path_factory.mktemp("adopted") / request.param
    shutil.copytree(HERE / "projects" / request.param, project, ignore=shutil.ignore_patterns("__pycache__"))
    assert main(["init", str(project)]) == 0
    return project


def fill_in(project: Path) -> None:
    """Add the seeds, and name them in the environment."""
    shutil.copy(HERE / "seeds" / f"{project.name}.py", project / "seeds_of_the_author.py")
    named = [(dag, seed) for dag, seed in SEEDS[project.name].items() if seed]
    lines = "".join(f'  {dag}: {{seed: "seeds_of_the_author:{seed}"}}\n' for dag, seed in named)
    with (project / "environments" / "base.yaml").open("a") as environment:
        environment.write(f"dags:\n{lines}")
