from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("embedded", "container"),
        default="embedded",
        help="what serves the roles in tests/harness/roles (default: embedded)",
    )


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    """How the roles under test are served; without a container engine that answers, its tests are skipped."""
    chosen = str(request.config.getoption("--engine"))
    if chosen == "container":
        require_container_engine()
    return chosen


def require_container_engine() -> None:
    from harness.engines.container.docker_engine import connect
    from harness.errors import ServiceError

    try:
        connect().close()
    except ServiceError as error:
        pytest.skip(f"no test on containers: {error}")
