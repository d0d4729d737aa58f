"""What it costs to stand a proxy between a client and its service."""

from __future__ import annotations

import multiprocessing
import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.bench.rows import Row
from tests.bench.surroundings import session
from tests.bench.timing import in_turns, timed

if TYPE_CHECKING:
    from harness.faults.relay import Front

#: round trips of one measurement, of which the median counts
TRIPS = 500
MEBIBYTES = 64
#: seconds for a peer's answer on a socket
PATIENCE = 60.0


def fault_proxy(rounds: int) -> list[Row]:
    """Round trips and bulk, through a proxy of its own process as runs with faults have it."""
    return [*round_trips(max(rounds, 5)), throughput(max(rounds, 5))]


def round_trips(rounds: int) -> list[Row]:
    """A query of Postgres, passed on and with its writes counted; and an echo over TCP."""
    from harness.faults.control import fronts_of, moved

    rows = []
    with session(("postgres",)) as held, held.namespace() as namespace:
        direct = namespace.services["postgres"]
        for counts, how in ((False, "passed on"), (True, "writes counted")):
            with fronts_of(direct) as (front,), proxied(front, counts=counts) as port:
                behind = moved(direct, {direct.name: port})
                ours, theirs = in_turns(rounds, partial(select, behind), partial(select, direct))
                behind.release()
            what = f"`SELECT 1` through the fault proxy, {how}"
            rows.append(Row(what, ours, "direct", theirs, compare="difference"))
    with server(echo) as port, proxied(tcp(port)) as through:
        ours, theirs = in_turns(rounds, lambda: ping(through), lambda: ping(port))
    return [*rows, Row("one byte there and back through the fault proxy", ours, "direct", theirs, compare="difference")]


def throughput(rounds: int) -> Row:
    """Many bytes one way over TCP."""
    with server(swallow) as port, proxied(tcp(port)) as through:
        ours, theirs = in_turns(rounds, lambda: pour(through), lambda: pour(port))
    return Row(f"{MEBIBYTES} MiB over TCP through the fault proxy", ours, "direct, on the loopback interface", theirs)


def select(service: Any) -> float:
    """Return the median of the seconds that a query takes."""
    return median_of(lambda: service.client.execute("SELECT 1").fetchone())


def ping(port: int) -> float:
    """Return the median of the seconds that a byte takes there and back."""
    with connect(port) as line:

        def trip() -> None:
            line.sendall(b"x")
            line.recv(1)

        return median_of(trip)


def pour(port: int) -> float:
    """Send many bytes, and wait until the other side says that it has them; the seconds."""
    block = bytes(1024 * 1024)
    with connect(port) as line:

        def send() -> None:
            for _ in range(MEBIBYTES):
                line.sendall(block)
            line.shutdown(socket.SHUT_WR)
            line.recv(1)

        return timed(send)


def median_of(trip: Callable[[], object]) -> float:
    """Call it a few times for nothing, then often; the median of the seconds."""
    for _ in range(TRIPS // 10):
        trip()
    return statistics.median(timed(trip) for _ in range(TRIPS))


@contextmanager
def proxied(front: Front, counts: bool = False) -> Iterator[int]:
    """Stand a proxy in front of a service; its port."""
    from harness.faults.host import Proxy

    with Proxy([front], counts=counts) as proxy:
        yield proxy.ports[front.service]


def tcp(port: int) -> Front:
    """Describe a server of ours to the proxy."""
    from harness.faults.relay import Front

    return Front("bench", "tcp", "127.0.0.1", port)


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve connections, one after the other, in a process of its own; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.get_context("fork").Process(target=serve, args=(listener, answer), daemon=True)
        process.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            process.terminate()
            process.join(PATIENCE)


def serve(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    """Be the server."""
    while True:
        line, _ = listener.accept()
        with line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answer(line)


def echo(line: socket.socket) -> None:
    """Send back what comes."""
    while data := line.recv(64):
        line.sendall(data)


def swallow(line: socket.socket) -> None:
    """Take all that comes, and say so at the end."""
    while line.recv(256 * 1024):
        pass
    line.sendall(b".")


def connect(port: int) -> socket.socket:
    """Connect, with no delay for small packets."""
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line
