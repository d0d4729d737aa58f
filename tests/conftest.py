from __future__ import annotations

import signal
from pathlib import Path

import pytest

#: folders whose tests start services, Airflow or containers
SLOW = (
    "containers",
    "pipelines",
    "harness/faults",
    "harness/plugin",
    "harness/proofs",
    "harness/roles",
    "harness/runner",
    "harness/session",
)


def pytest_configure() -> None:
    # a shell starts what is in the background with Ctrl-C ignored, and so would be every process that a test starts
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test-fast` leaves out: tests in those folders, and tests on an environment's services."""
    slow = [Path(__file__).parent / folder for folder in SLOW]
    for item in items:
        on_services = "environment_name" in getattr(item, "fixturenames", ())
        if on_services:
            item.add_marker(pytest.mark.services)
        if "harness_session" in getattr(item, "fixturenames", ()) or any(
            item.path.is_relative_to(folder) for folder in slow
        ):
            item.add_marker(pytest.mark.slow)


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
