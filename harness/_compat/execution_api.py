"""The execution API, served inside the process that calls it.

Bridges: Airflow's own `InProcessExecutionAPI` builds every version of the API (seconds) and answers from another
thread, which a process that forks must not have; here the newest version answers in the calling thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import anyio.to_thread
import httpx
import svcs
from airflow.api_fastapi.auth.tokens import JWTGenerator, JWTValidator
from airflow.api_fastapi.common.dagbag import create_dag_bag
from airflow.api_fastapi.common.exceptions import ERROR_HANDLERS
from airflow.api_fastapi.execution_api.datamodels.token import TIClaims, TIToken
from airflow.api_fastapi.execution_api.routes import execution_api_router
from airflow.api_fastapi.execution_api.routes.connections import has_connection_access
from airflow.api_fastapi.execution_api.routes.variables import has_variable_access
from airflow.api_fastapi.execution_api.routes.xcoms import has_xcom_access
from airflow.api_fastapi.execution_api.security import _jwt_bearer, require_auth
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from fastapi import FastAPI, Request
from fastapi.dependencies import utils

from harness._compat import kept

_NOBODY = "00000000-0000-0000-0000-000000000000"


@cache
def app() -> FastAPI:
    """Build the newest version of the API, where every caller is allowed; once, before the fork."""
    made = FastAPI(openapi_url=None)
    made.include_router(execution_api_router)
    for handler in ERROR_HANDLERS:
        made.add_exception_handler(handler.exception_cls, handler.exception_handler)

    async def allow(request: Request) -> TIToken:
        return TIToken(id=request.path_params.get("task_instance_id", _NOBODY), claims=TIClaims(scope="execution"))

    for guard in (_jwt_bearer, require_auth, has_connection_access, has_variable_access, has_xcom_access):
        made.dependency_overrides[guard] = allow
    registry = svcs.Registry()
    registry.register_value(JWTValidator, None)
    registry.register_value(JWTGenerator, None)
    made.state.svcs_registry = registry
    return made


def client() -> Any:
    """Return a client of the API on this process's metadata database."""
    api = app()
    api.state.dag_bag = create_dag_bag()
    # the class that skips the retries: there is no network between the two
    made = InProcessTestSupervisor._Client(base_url=None, token="", dry_run=True, transport=_Direct(api))
    made.base_url = "http://in-process.invalid/"
    return made


class _Direct(httpx.BaseTransport):
    """Calls the application in this thread, one request at a time."""

    def __init__(self, api: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app=api, raise_app_exceptions=False)
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _quickly():
            return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        request.stream = httpx.ByteStream(request.read())
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


@contextmanager
def _quickly() -> Iterator[None]:
    """Run what the API would hand to a thread pool in place, and look at its signatures once.

    Only while it answers, so that no task sees it.
    """
    module: Any = anyio.to_thread
    threads, dependant_of = module.run_sync, utils.get_dependant

    async def in_place(function: Any, *args: Any, **_: Any) -> Any:
        return function(*args)

    module.run_sync, utils.get_dependant = in_place, kept.dependant_of
    try:
        yield
    finally:
        module.run_sync, utils.get_dependant = threads, dependant_of
