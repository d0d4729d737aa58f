"""What a child of the fork server does: import DAG files one after the other, and say of each what came of it."""

from __future__ import annotations

import faulthandler
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from harness.inputs.recorder import Recorder, Seen

Emit = Callable[[dict[str, Any]], None]


def load(payload: dict[str, Any], emit: Emit) -> None:
    """Import the files of one chunk.

    Before each file `{"at": path}` is sent, after it `{"loaded": {...}}`: whoever listens knows which file a crash was.

    Args:
        payload: `paths` (absolute), `names` (as they are shown), `roots`, `project` and `quiet` (folders), `seconds`
            (for each file), and `stack_file`.
    """
    from harness._compat.plugins import use_plugins

    use_plugins(Path(payload["project"]))
    recorder = Recorder([Path(root) for root in payload["roots"]], [Path(folder) for folder in payload["quiet"]])
    recorder.install()
    sys.argv[:] = ["airflow"]
    with open(payload["stack_file"], "w", encoding="utf-8") as stacks:  # noqa: PTH123 - faulthandler needs the descriptor
        faulthandler.enable(stacks)
        for path, name in zip(payload["paths"], payload["names"], strict=True):
            emit({"at": name})
            outcome = _one(path, name, recorder, payload["seconds"], stacks)
            emit({"loaded": outcome})
            if outcome["ended"]:
                return


def _one(path: str, name: str, recorder: Recorder, seconds: float, stacks: TextIO) -> dict[str, Any]:
    """Import one file; what it raises is its outcome."""
    from harness._compat.extract import dag_data
    from harness._compat.importing import import_dags
    from harness._compat.lines import Lines

    lines = Lines()
    dags: list[Any] = []
    failure: dict[str, Any] = {"error": None, "ended": None, "line": 1, "detail": ""}
    own = os.getpid()
    # a watchdog in C: a loop that never gives back the interpreter cannot keep it from ending the process
    faulthandler.dump_traceback_later(seconds, exit=True, file=stacks)
    try:
        with recorder.unit(path):
            dags = import_dags(path, lines)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a DAG file may raise anything, SystemExit and MemoryError too
        failure = _failure(error, path)
    finally:
        faulthandler.cancel_dump_traceback_later()
        if os.getpid() != own:
            os._exit(0)
    data: list[dict[str, Any]] = []
    try:
        data = [dag_data(dag, lines, name) for dag in dags]
    except Exception as error:  # noqa: BLE001 - ours to repair, not the file's: it is then judged by its source alone
        failure = {**_failure(error, path), "ended": "unread"}
    seen = _seen(recorder.seen(path))
    # a template file that appears later makes a difference
    wanted = {os.path.join(s, file) for d in data for s in d["searched"] for t in d["tasks"] for _, file in t["lost"]}  # noqa: PTH118
    seen["inputs"] = [*seen["inputs"], *sorted(wanted)]
    return {"path": name, "dags": data, **failure, **seen}


def _failure(error: BaseException, path: str) -> dict[str, Any]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = frames[-1].lineno if frames else getattr(error, "lineno", None)
    ended = None
    words = f"{type(error).__name__}: {error}".strip().rstrip(":")
    if isinstance(error, SystemExit):
        ended, words = "exit", f"the file ends its process: sys.exit({error.code!r})"
    elif isinstance(error, MemoryError):
        ended, words = "memory", "the file takes more memory than it may"
    detail = "".join(traceback.format_exception(error, limit=-6))
    # the first line of several often says no more than that arguments were wrong, not which
    said = _stable(" ".join(words.split()))[:500]
    return {"error": said, "ended": ended, "line": line or 1, "detail": detail[-4000:]}


def _stable(text: str) -> str:
    """Leave out what is another one elsewhere: addresses of objects, names of temporary files, a module's place."""
    text = re.sub(r"\b0x[0-9a-f]{6,}\b", "0x...", text)
    text = re.sub(r"\btmp[a-z0-9_]{8}\b", "tmp...", text)
    return re.sub(r" \((?:/[^()]*|unknown location)\)$", "", text) if text.startswith("ImportError") else text


def _seen(seen: Seen) -> dict[str, Any]:
    return {
        "inputs": list(seen.files),
        "effects": [(effect.kind, _stable(effect.detail), effect.line) for effect in seen.effects],
        "seconds": seen.seconds,
        "costly": list(seen.costly),
    }
