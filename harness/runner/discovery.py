"""Finds the file of a DAG without parsing the folder: its id is looked for in the text first."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

from harness._compat import dags
from harness.environment.installing import how_to_install
from harness.errors import ConfigError, NothingChecked


class Library:
    """The DAGs of one folder, parsed one file at a time, as they are needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dags: dict[str, Any] = {}
        self._parsed: dict[Path, dags.Parsed] = {}
        self._files: list[Path] | None = None

    def find(self, dag_id: str) -> Any:
        """Return the DAG of that id, parsed and stored in the metadata database.

        Raises:
            NothingChecked: the folder has no DAG file at all.
            ConfigError: no DAG has that id (with the nearest names), or its file cannot be imported (with its place).
        """
        if dag_id in self.dags:
            return self.dags[dag_id]
        likely, others = self._sort_files(dag_id)
        for path in [*likely, *others]:
            found = self._parse(path).dags.get(dag_id)
            if found is not None:
                dags.store(found)
                self.dags[dag_id] = found
                self._store_owners(dags.asset_references(found))
                self._store_consumers(found)
                return found
        for path in likely:
            if error := self._parsed[path].error:
                raise import_error(path, error)
        raise self._unknown(dag_id)

    def _sort_files(self, dag_id: str) -> tuple[list[Path], list[Path]]:
        """Split the files into those that spell the id, and those that might build it."""
        if self._files is None:
            self._files = dags.files(self.folder)
        if not self._files:
            raise NothingChecked(f"{self.folder} has no DAG file", hint="name another folder with --dags")
        needle = dag_id.encode()
        texts = {path: dags.text_of(path) for path in self._files}
        likely = [path for path, text in texts.items() if needle in text]
        others = [path for path, text in texts.items() if needle not in text and b"dag" in text.lower()]
        return likely, others

    def _store_owners(self, assets: set[str]) -> None:
        """Store the DAGs that may define these assets: a task that refers to an asset nobody defines cannot start."""
        for name in assets:
            for path in self._sort_files(name)[0]:
                for dag_id, found in self._parse(path).dags.items():
                    if dag_id not in self.dags:
                        dags.store(found, paused=True)

    def _store_consumers(self, producer: Any) -> None:
        """Store the DAGs that the producer's asset events start, as its run goes on with theirs."""
        if not any(task.outlets for task in producer.tasks):
            return
        from harness._compat import assets

        texts = ((path, dags.text_of(path).lower()) for path in self._files or ())
        files = [path for path, text in texts if b"asset" in text or b"dataset" in text]
        parsed = (dag for path in files for dag in self._parse(path).dags.values())
        for dag_id in list(assets.consumers(parsed, producer)):
            self.find(dag_id)

    def _parse(self, path: Path) -> dags.Parsed:
        if path not in self._parsed:
            self._parsed[path] = dags.parse(path, self.folder)
        return self._parsed[path]

    def _unknown(self, dag_id: str) -> ConfigError:
        names = sorted(name for parsed in self._parsed.values() for name in parsed.dags)
        near = difflib.get_close_matches(dag_id, names, 3, 0.5)
        broken = [path.name for path, parsed in self._parsed.items() if parsed.error]
        hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(names[:10]) or 'none'}"
        if broken:
            hint += f"; these files cannot be imported: {', '.join(broken)}"
        return ConfigError(f"no DAG {dag_id!r} in {self.folder}", hint=hint)


def import_error(path: Path, trace: str) -> ConfigError:
    """Make one line of an import's traceback: the last line of the file's own, and the error's words."""
    own = [int(line) for name, line in re.findall(r'File "([^"]+)", line (\d+)', trace) if Path(name) == path]
    words = [line for line in trace.strip().splitlines() if line and not line.startswith(" ")]
    said = words[-1] if words else trace
    line = own[-1] if own else None
    return ConfigError(f"cannot be imported: {said}", path=path, line=line, hint=how_to_install(said))
