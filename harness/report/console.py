"""Progress on standard error while services start and tasks run: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from harness.models.service import ServiceEvent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

STYLES = {
    "ready": "green",
    "success": "green",
    "pass": "green",
    "failed": "red",
    "fail": "red",
    "error": "red",
    "missing": "red",
    "upstream_failed": "red",
    "skipped": "yellow",
    "up_for_retry": "yellow",
    "up_for_reschedule": "yellow",
    "deferred": "magenta",
    "running": "cyan",
    "removed": "dim",
}


def console(*, stderr: bool = True) -> Console:
    """Return a console that honours NO_COLOR and a dumb terminal, and does not cut lines when it is not a terminal."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return made


def styled(state: str | None) -> str:
    """Return the state with its colour, as rich markup."""
    word = state or "none"
    style = STYLES.get(word)
    return f"[{style}]{word}[/{style}]" if style else word


class StartProgress:
    """Shows how the services of a session come up; use it in a `with` block and pass it as `on_event`."""

    def __init__(self) -> None:
        self._console = console()
        self._live: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._said: dict[str, str] = {}
        self._over = False
        self._lock = threading.Lock()

    def __enter__(self) -> StartProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # what a session tells later, as who it waits for, is a line among others
        self._over = True
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: ServiceEvent) -> None:
        """Show one step."""
        with self._lock:
            if self._console.is_terminal and not self._over:
                self._show_live(event)
            else:
                self._show_line(event)

    def _show_line(self, event: ServiceEvent) -> None:
        line = f"{event.service} ({event.engine}): {event.detail or event.phase}"
        if event.phase == "waiting":
            line = f"{event.service} ({event.engine}): waiting, {event.detail}"
        if event.phase in ("ready", "failed"):
            line = f"{event.service} ({event.engine}): {event.phase} after {event.seconds:.1f} s"
        if self._said.get(event.service) != line:
            self._said[event.service] = line
            self._console.print(line, markup=False)

    def _show_live(self, event: ServiceEvent) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        if self._live is None:
            columns = (SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), TimeElapsedColumn())
            self._live = Progress(*columns, console=self._console)
            self._live.start()
        if event.service not in self._rows:
            self._rows[event.service] = self._live.add_task("", total=1)
        row = self._rows[event.service]
        what = event.detail if event.phase in ("starting", "waiting") and event.detail else styled(event.phase)
        name = f"{event.service:<10} [dim]{event.engine:<9}[/dim] {what}"
        self._live.update(row, description=name, completed=1 if event.phase in ("ready", "failed") else 0)
