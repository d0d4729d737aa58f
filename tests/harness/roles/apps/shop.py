"""A synthetic upstream with a start-up, and a bare one without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.stock = {"apples": 3}
    yield


async def stock(request: Request) -> JSONResponse:
    return JSONResponse(request.app.state.stock)


async def root(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.scope["root_path"])


app = Starlette(routes=[Route("/stock", stock), Route("/root", root)], lifespan=lifespan)


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Know requests only: a lifespan is an error here, as in many small applications."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
