"""Serves the project's ASGI applications, each below its own name and at ports of its own, and notes every call.

Run by path: `python -P asgi_server.py ORDER`, a JSON object as the engine writes it: inherited sockets (`listener` for
all, and a `door` for each of `apps`), `project`, `failure`, `calls`, `idempotency`. When an application cannot be
imported it writes the reason to the file `failure` as JSON (app, target, error, place) and ends with 3. A call of a
namespace is a line of JSON in the file NAMESPACE.jsonl of the folder `calls`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

READY = "/-/ready"
DOORS = "/-/doors/"
"""`POST /-/doors/NAMESPACE` opens a port for each application and answers which; `DELETE` closes them."""

OWN = b"x-harness-own"
"""A header on requests of tests and seeds: they are no calls of a DAG, and noted apart, in NAMESPACE.own.jsonl."""

MAIN = "main"
"""Whose calls those are that name no namespace."""

LARGEST = 65_536
"""Bytes of a body that is kept; of a larger one only the digest is."""


class Dispatcher:
    """Gives `/NAME/...` to the application of that name, as the ASGI specification mounts one (`root_path`).

    A namespace asks for `/~NAMESPACE/NAME/...`. An application that keeps state can keep it by `root_path`, and so for
    each namespace.
    """

    def __init__(self, apps: dict[str, App], recorder: Recorder) -> None:
        self.apps = apps
        self.doors = Doors(self)
        self._recorder = recorder

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        front, path = _namespace(scope["path"])
        name = path.split("/", 2)[1]
        if path == READY:
            await _answer(send, 200, "ready")
        elif path.startswith(DOORS) and scope["type"] == "http":
            await self._move_doors(scope["method"], path.removeprefix(DOORS), send)
        elif name in self.apps:
            root = f"{scope.get('root_path', '')}{front}/{name}"
            with self._recorder.listen(scope, front.removeprefix("/~") or MAIN, name, receive, send) as (hear, say):
                await self.apps[name]({**scope, "root_path": root}, hear, say)
        elif scope["type"] == "http":
            await _answer(send, 404, f"no application {name!r}; there are: {', '.join(self.apps)}")
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _move_doors(self, method: str, namespace: str, send: Send) -> None:
        if method == "POST":
            await _answer(send, 200, json.dumps(await self.doors.open(namespace)))
        else:
            self.doors.close(namespace)
            self._recorder.forget(namespace)
            await _answer(send, 200, "closed")

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


class Doors:
    """Ports at which one application is the root, as behind a host name of its own."""

    def __init__(self, inside: App) -> None:
        self._inside = inside
        self._open: dict[str, list[asyncio.Server]] = {}

    async def open(self, namespace: str) -> dict[str, int]:
        """Open a port for each application in the name of a namespace; return them by the application's name."""
        apps: dict[str, App] = self._inside.apps  # type: ignore[attr-defined]
        servers = {name: await listen(Door(self._inside, f"/~{namespace}/{name}")) for name in apps}
        self._open.setdefault(namespace, []).extend(servers.values())
        return {name: int(server.sockets[0].getsockname()[1]) for name, server in servers.items()}

    def close(self, namespace: str) -> None:
        """Close a namespace's ports; idempotent."""
        for server in self._open.pop(namespace, ()):
            server.close()


class Door:
    """Leads every request to one application; what an application links to below its `root_path` is found too.

    Args:
        inside: takes the requests.
        front: where the application is in there, such as `/~n7/shop`.
    """

    def __init__(self, inside: App, front: str) -> None:
        self._inside, self._front = inside, front

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if not f"{path}/".startswith(f"{self._front}/"):
            path = f"{self._front}{path}"
        await self._inside({**scope, "path": path, "raw_path": path.encode()}, receive, send)


async def listen(app: App, sock: socket.socket | None = None) -> asyncio.Server:
    """Serve an application by uvicorn's protocol on a socket, or on a free port of the loopback interface."""
    import uvicorn
    from uvicorn.server import ServerState

    config = uvicorn.Config(app, log_level="info", lifespan="off")
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        made: asyncio.Protocol = config.http_protocol_class(config=config, server_state=state, app_state={}, _loop=loop)
        return made

    if sock is not None:
        return await loop.create_server(protocol, sock=sock)
    return await loop.create_server(protocol, "127.0.0.1", 0)


class Recorder:
    """Notes the calls of each namespace.

    Args:
        folder: of the notes.
        keys: headers that identify a call, in lower case.
    """

    def __init__(self, folder: Path, keys: list[str]) -> None:
        self._folder = folder
        self._keys = [key.encode() for key in keys]

    @contextlib.contextmanager
    def listen(self, scope: Message, namespace: str, app: str, receive: Receive, send: Send) -> Iterator[Any]:
        """Listen to a request and its answer, and note them when the answer is whole, or the application has failed."""
        headers = dict(scope.get("headers", ()))
        if scope["type"] != "http":
            yield receive, send
            return
        file = self._folder / f"{namespace}{'.own' if OWN in headers else ''}.jsonl"
        body = bytearray()
        status = 0
        whole = False
        ahead: deque[Message] = deque()

        async def read() -> Message:
            nonlocal whole
            message = await receive()
            body.extend(message.get("body", b""))
            whole = not message.get("more_body")
            return message

        async def hear() -> Message:
            return ahead.popleft() if ahead else await read()

        async def say(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            while message["type"] == "http.response.start" and not whole:
                # an application that answers unread what it was sent was asked all the same
                ahead.append(await read())
            if message["type"] == "http.response.body" and not message.get("more_body"):
                # before the client has it all: what it asks for next may be this note
                note()
            await send(message)

        def note() -> None:
            root = f"/{app}"
            path = _namespace(scope["path"])[1].removeprefix(root) or "/"
            key = next((headers[name].decode("latin-1") for name in self._keys if name in headers), None)
            call = {
                "app": app,
                "method": scope["method"],
                "path": path,
                "query": scope.get("query_string", b"").decode("latin-1"),
                "digest": hashlib.sha256(body).hexdigest(),
                "body": base64.b64encode(body).decode() if len(body) <= LARGEST else None,
                "status": status,
                "key": key,
            }
            with file.open("a") as notes:
                notes.write(json.dumps(call) + "\n")

        try:
            yield hear, say
        except BaseException:
            status = status or 500
            note()
            raise

    def forget(self, namespace: str) -> None:
        """Remove the notes of a namespace; idempotent."""
        for kind in ("", ".own"):
            (self._folder / f"{namespace}{kind}.jsonl").unlink(missing_ok=True)


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


async def serve(dispatcher: Dispatcher, listener: socket.socket, doors: dict[str, socket.socket]) -> None:
    """Serve until the process is ended.

    Args:
        dispatcher: has all applications.
        listener: where each is below its name.
        doors: where each is the root, for whoever has no namespace.
    """
    import uvicorn

    for name, door in doors.items():
        await listen(Door(dispatcher, f"/{name}"), door)
    config = uvicorn.Config(dispatcher, log_level="info", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve(sockets=[listener])


def main() -> None:
    """Serve until the process is ended."""
    order = json.loads(sys.argv[1])
    project, failure = Path(order["project"]), Path(order["failure"])
    sys.path.insert(0, str(project))
    apps: dict[str, App] = {}
    for name, app in order["apps"].items():
        try:
            apps[name] = load(app["target"])
        except BaseException as error:  # noqa: BLE001 - whatever the project's module does at import, it is told
            traceback.print_exc()
            failure.write_text(json.dumps({"app": name, "target": app["target"], **failure_of(error, project)}))
            sys.exit(3)
    dispatcher = Dispatcher(apps, Recorder(Path(order["calls"]), order["idempotency"]))
    doors = {name: socket.socket(fileno=app["door"]) for name, app in order["apps"].items()}
    asyncio.run(serve(dispatcher, socket.socket(fileno=order["listener"]), doors))


if __name__ == "__main__":
    main()
