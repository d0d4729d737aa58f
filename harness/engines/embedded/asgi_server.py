"""Serves the project's ASGI applications on an inherited socket, each below its own name.

Run by path: `python -P asgi_server.py FD PROJECT FAILURE NAME=MODULE:ATTRIBUTE...`. When an application cannot be
imported it writes the reason to the file FAILURE as JSON (app, target, error, place) and ends with 3.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

READY = "/-/ready"


class Dispatcher:
    """Gives `/NAME/...` to the application of that name, as the ASGI specification mounts one (`root_path`).

    A namespace asks for `/~NAMESPACE/NAME/...`. An application that keeps state can keep it by `root_path`, and so for
    each namespace.
    """

    def __init__(self, apps: dict[str, App]) -> None:
        self.apps = apps

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        front, path = _namespace(scope["path"])
        name = path.split("/", 2)[1]
        if path == READY:
            await _answer(send, 200, "ready")
        elif name in self.apps:
            root = f"{scope.get('root_path', '')}{front}/{name}"
            await self.apps[name]({**scope, "root_path": root}, receive, send)
        elif scope["type"] == "http":
            await _answer(send, 404, f"no application {name!r}; there are: {', '.join(self.apps)}")
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start all applications and stop them in the opposite order; one that has no lifespan is left alone."""
        lives = [Life(name, app) for name, app in self.apps.items()]
        await receive()
        for life in lives:
            failure = await life.say("startup")
            if failure is not None:
                await send({"type": "lifespan.startup.failed", "message": f"{life.name}: {failure}"})
                return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for life in reversed(lives):
            await life.say("shutdown")
        await send({"type": "lifespan.shutdown.complete"})


class Life:
    """The lifespan of one application (ASGI specification, "Lifespan protocol")."""

    def __init__(self, name: str, app: App) -> None:
        self.name = name
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.ensure_future(app(scope, self._said.get, self._heard.put))

    async def say(self, what: str) -> str | None:
        """Tell the application to start up or shut down, and return why it could not, if it says so."""
        await self._said.put({"type": f"lifespan.{what}"})
        hearing = asyncio.ensure_future(self._heard.get())
        await asyncio.wait({self._task, hearing}, return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            hearing.cancel()
            with contextlib.suppress(BaseException):  # an application that does not know lifespans raises here
                self._task.result()
            return None
        answer = hearing.result()
        return str(answer.get("message", "it failed")) if answer["type"].endswith(".failed") else None


def _namespace(path: str) -> tuple[str, str]:
    """Split `/~NAMESPACE/NAME/...` before the name; what names no namespace has an empty front."""
    if not path.startswith("/~"):
        return "", path
    front, _, rest = path[1:].partition("/")
    return f"/{front}", f"/{rest}"


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def load(target: str) -> App:
    """Return what `module:attribute` names."""
    module, _, attribute = target.partition(":")
    found = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found  # type: ignore[return-value]


def failure_of(error: BaseException, project: Path) -> dict[str, str]:
    """Return the error in one line, and the last line of the project's own code that led to it."""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    led = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        led.append((error.filename or "", error.lineno))
    # an environment of the project's, such as .venv, is no code of the project's
    own = [(name, line) for name, line in led if Path(name).is_relative_to(project) and "site-packages" not in name]
    place = f"{Path(own[-1][0]).relative_to(project)}:{own[-1][1]}" if own else ""
    return {"error": f"{type(error).__name__}: {said}".splitlines()[0], "place": place}


def main() -> None:
    """Serve until the process is ended."""
    import uvicorn

    descriptor, project, failure = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    sys.path.insert(0, str(project))
    apps = {}
    for name, _, target in (argument.partition("=") for argument in sys.argv[4:]):
        try:
            apps[name] = load(target)
        except BaseException as error:  # noqa: BLE001 - whatever the project's module does at import, it is told
            traceback.print_exc()
            failure.write_text(json.dumps({"app": name, "target": target, **failure_of(error, project)}))
            sys.exit(3)
    config = uvicorn.Config(Dispatcher(apps), log_level="info", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
