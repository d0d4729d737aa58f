"""Records, while files are imported in this process, what each of them depends on and what it does besides.

Imports are seen by wrapping `__import__`; opened files, connections and started programs by audit events (PEP 578),
which no library can avoid. One recorder serves many files: a module is imported once, and counts for every file that
uses it.
"""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_UNINTERESTING = ("/proc/", "/dev/", "/sys/", "/etc/", "/usr/", "/lib")


@dataclass(frozen=True)
class Effect:
    """Something that a file does besides making DAGs.

    Args:
        kind: network, process, write or fork.
        detail: with whom, or what.
        line: in the file; 1 when the file is not on the stack.
    """

    kind: str
    detail: str
    line: int = 1


@dataclass
class _Unit:
    """One file or project module: what it needs directly."""

    modules: dict[str, None] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    exclusive: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What one file came to.

    Args:
        files: project modules and opened files that it depends on, absolute; the file itself is not among them.
        seconds: its own time and that of all modules it imports, whoever imported them first.
        costly: its modules by their whole time, the slowest first.
    """

    files: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    seconds: float = 0.0
    costly: tuple[tuple[str, float], ...] = ()


class Recorder:
    """Listens from `install` on; `unit` says which file is being imported.

    Args:
        roots: folders whose modules are the project's own.
        quiet: folders that may be written to and read without notice.
    """

    def __init__(self, roots: Sequence[Path], quiet: Sequence[Path] = ()) -> None:
        prefixes = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
        self._libraries = tuple(os.path.realpath(p) + os.sep for p in prefixes if p)
        self._roots = tuple(os.path.realpath(root) + os.sep for root in roots)
        self._quiet = tuple(os.path.realpath(folder) + os.sep for folder in quiet)
        self._units: dict[str, _Unit] = {}
        self._stack: list[str] = []
        self._costs: dict[str, float] = {}
        self._nested: list[float] = []
        self._import = builtins.__import__
        self._busy = False

    def install(self) -> None:
        """Begin to listen; an audit hook stays until the process ends."""
        sys.addaudithook(self._hear)
        builtins.__import__ = self._imported  # type: ignore[assignment]  # the same, under other parameter names

    @contextmanager
    def unit(self, path: str) -> Iterator[None]:
        """Charge what happens now to the file at `path`."""
        self._units[path] = _Unit()
        self._stack.append(path)
        self._nested.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self._units[path].exclusive = spent - self._nested.pop()
            self._stack.clear()

    def seen(self, path: str) -> Seen:
        """Return what the file at `path` depends on and did, through all modules of the project that it imports."""
        order: dict[str, None] = {}
        self._reach(path, order)
        files: dict[str, None] = {}
        for name in order:
            unit = self._units.get(name)
            if name != path and (origin := _origin(name)):
                files[origin] = None
            files.update(unit.files if unit else {})
        files.pop(os.path.realpath(path), None)
        costs = {name: self._charge(name, set()) for name in self._units[path].modules}
        costly = sorted(((n, c) for n, c in costs.items() if c > 0.05), key=lambda item: -item[1])
        effects = tuple(e for name in order if name in self._units for e in self._units[name].effects)
        total = self._units[path].exclusive + sum(self._charge(name, set()) for name in self._leaves(order, path))
        return Seen(tuple(files), effects, total, tuple(costly[:5]))

    def _reach(self, name: str, order: dict[str, None]) -> None:
        if name not in order:
            order[name] = None
            for inner in self._units[name].modules if name in self._units else ():
                if inner in self._units:
                    self._reach(inner, order)

    def _leaves(self, order: Mapping[str, None], path: str) -> list[str]:
        """Return every module behind a file once: the project's own, and the libraries that they import."""
        every = dict.fromkeys(m for name in order for m in (name, *self._units[name].modules))
        every.pop(path, None)
        return list(every)

    def _charge(self, name: str, seen: set[str]) -> float:
        unit = self._units.get(name)
        return unit.exclusive if unit else self._costs.get(name, 0.0)

    def _imported(
        self,
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if not self._stack:
            return self._import(name, globals_, locals_, fromlist or (), level)
        full = _full_name(name, globals_, level)
        importer = self._stack[-1]
        fresh = full not in sys.modules
        own = fresh and self._is_own(full)
        if own:
            self._units.setdefault(full, _Unit())
            self._stack.append(full)
        self._nested.append(0.0)
        started = time.perf_counter()
        try:
            module = self._import(name, globals_, locals_, fromlist or (), level)
        finally:
            spent = time.perf_counter() - started
            inner = self._nested.pop()
            if self._nested:
                self._nested[-1] += spent
            if own and self._stack and self._stack[-1] == full:
                self._stack.pop()
        if own:
            self._units[full].exclusive = spent - inner
        elif fresh and importer in self._units:
            self._costs.setdefault(full, spent)
        if importer in self._units and self._code_of(globals_, importer):
            names = [full, *(f"{full}.{part}" for part in fromlist or () if f"{full}.{part}" in sys.modules)]
            self._units[importer].modules.update(dict.fromkeys(names))
        return module

    def _code_of(self, globals_: Mapping[str, Any] | None, importer: str) -> bool:
        """Whether the import statement stands in the importer itself, not in a library that it has called."""
        given = globals_ or {}
        return importer in (given.get("__name__"), given.get("__file__"))

    def _is_own(self, module: str) -> bool:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return False
        origin = os.path.realpath(spec.origin) if spec and spec.origin else ""
        return origin.startswith(self._roots) and not origin.startswith(self._libraries)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._stack or self._busy:
            return
        self._busy = True
        try:
            self._note(event, args)
        finally:
            self._busy = False

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        match event:
            case "open":
                self._opened(*args)
            case "socket.connect" if isinstance(args[1], tuple):
                self._effect("network", f"{args[1][0]}:{args[1][1]}")
            case "socket.getaddrinfo" if args[0]:
                self._effect("network", str(args[0]))
            case "subprocess.Popen":
                words = args[1] if isinstance(args[1], str) else " ".join(map(_text, args[1] or ()))
                self._effect("process", words[:80] or _text(args[0]))
            case "os.system" | "os.posix_spawn" | "os.exec":
                self._effect("process", _text(args[0])[:80])
            case "os.fork" | "os.forkpty":
                self._effect("fork", "")

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        real = os.path.realpath(os.fsdecode(path))
        if real.endswith(".pyc"):
            self._compiled(real)
            return
        if real.startswith((*self._libraries, *_UNINTERESTING, *self._quiet)):
            return
        writes = (isinstance(mode, str) and any(c in mode for c in "wax+")) or (
            mode is None and isinstance(flags, int) and bool(flags & _WRITING)
        )
        if writes:
            self._effect("write", real)
        elif Path(real).is_file() and not real.endswith(".so"):
            self._units[self._stack[-1]].files[real] = None

    def _compiled(self, path: str) -> None:
        """Note the source of a compiled module: what `importlib.import_module` loads comes by no import statement."""
        try:
            source = importlib.util.source_from_cache(path)
        except (ValueError, NotImplementedError):
            return
        if source.startswith(self._roots) and not source.startswith(self._libraries):
            self._units[self._stack[-1]].files[source] = None

    def _effect(self, kind: str, detail: str) -> None:
        if not self._meant():
            return
        effects = self._units[self._stack[-1]].effects
        effect = Effect(kind, detail, _line_in(self._stack[0]))
        if effect not in effects and len(effects) < 20:
            effects.append(effect)

    def _meant(self) -> bool:
        """Whether the project's code does it, and not a library that is merely being imported."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if name == __file__:
                frame = frame.f_back
                continue
            if name == self._stack[0] or (name.startswith(self._roots) and not name.startswith(self._libraries)):
                return True
            if name.startswith("<frozen importlib"):
                return False
            frame = frame.f_back
        return False


def _line_in(path: str) -> int:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == path:
            return frame.f_lineno
        frame = frame.f_back
    return 1


def _full_name(name: str, globals_: Mapping[str, Any] | None, level: int) -> str:
    if not level:
        return name
    package = str((globals_ or {}).get("__package__") or "")
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base


def _origin(module: str) -> str | None:
    found = sys.modules.get(module)
    origin = getattr(found, "__file__", None)
    return os.path.realpath(origin) if origin else None


def _text(value: Any) -> str:
    return os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else str(value)
