"""Runs a job as spark-submit's client mode would, on the resident driver: options, files, arguments, exit code.

The program of a job is this process, as it is a process of its own under spark-submit. Imports nothing of Airflow.
"""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from harness.engines.embedded.spark_wire import HostAddress
from harness.errors import ConfigError, HarnessError
from harness.services.spark_options import Job, read_job


def main(folder: str, argv: Sequence[str]) -> int:
    """Run what a command line of spark-submit says, and return its exit code: 2 for what cannot be done here.

    Args:
        folder: where a job's own files go for as long as it runs.
        argv: options, the job's file, its arguments.

    Raises:
        SystemExit: the job's own.
    """
    try:
        job = read_job(argv)
        if job is None:
            return 0
        if job.ignored:
            _say(f"the resident driver runs already: no use for {', '.join(job.ignored)}")
        program = _Submission(job, Path(folder)).prepare()
    except HarnessError as error:
        _say(str(error))
        return error.exit_code
    return _run(program, str(job.application), job.arguments)


class _Submission:
    """One job on its way: attaches, applies its settings, and puts its files where it looks for them.

    Args:
        job: what was asked for.
        parent: of the folder that it gets, when it needs one.
    """

    def __init__(self, job: Job, parent: Path) -> None:
        self._job = job
        self._parent = parent
        self._context: Any = None
        self._folder: Path | None = None

    def prepare(self) -> Path:
        """Make this process ready for the job, and return its program's file.

        Raises:
            HarnessError: a file is missing, a setting cannot be had, or the driver does not answer.
        """
        if self._job.python:
            os.environ["PYSPARK_PYTHON"] = self._job.python
        program = self._path(self._job.application)
        modules = [self._module(uri) for uri in self._job.modules]
        # Spark's workers get it as it is when this process attaches
        sys.path[:0] = [str(program.resolve().parent), *modules]
        os.environ["PYTHONPATH"] = os.pathsep.join([*modules, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._attach()
        for uri in (self._job.application, *self._job.modules, *self._job.files, *self._job.archives):
            self._fetch(uri)
        for uri in self._job.archives:
            self._unpack(uri)
        if self._job.files or self._job.archives:
            self._show()
        importlib.invalidate_caches()
        return program

    def _attach(self) -> None:
        from harness.services.spark_attached import apply_options, attached_session, install_hook, require_jars

        address = HostAddress.parse(os.environ.get("HARNESS_SPARK", ""))

        def session() -> Any:
            found = attached_session(address)
            # at first, and again when the job has stopped the former
            if found.sparkContext is not self._context:
                self._context = found.sparkContext
                apply_options(found, self._job.settings)
            return found

        install_hook(session)
        session()
        require_jars(self._job.jars, self._context.harness_jars)

    def _module(self, uri: str) -> str:
        """Return what goes on the import path: an archive itself, and a folder of its own for single modules."""
        path = self._path(uri)
        return str(self._own("modules") if path.suffix == ".py" else path)

    def _path(self, uri: str) -> Path:
        """Return where a file is, or will be once it is fetched."""
        parts = urlsplit(uri.partition("#")[0])
        if parts.scheme in ("", "file", "local"):
            return Path(url2pathname(parts.path)) if parts.scheme else Path(parts.path)
        return self._own("fetched") / PurePosixPath(parts.path).name

    def _fetch(self, uri: str) -> None:
        """Get a file of a store by Spark's own means, and put a single module where it is imported from."""
        path = self._path(uri)
        if self._folder is not None and path.is_relative_to(self._folder):
            self._download(uri.partition("#")[0], path)
        if not path.is_file():
            raise ConfigError(f"there is no file {uri}")
        if uri in self._job.modules and path.suffix == ".py":
            shutil.copy(path, self._own("modules") / path.name)

    def _download(self, uri: str, path: Path) -> None:
        from py4j.protocol import Py4JJavaError

        jvm, hadoop = self._context._jvm, self._context._jsc.hadoopConfiguration()
        source = jvm.org.apache.hadoop.fs.Path(uri)
        try:
            source.getFileSystem(hadoop).copyToLocalFile(source, jvm.org.apache.hadoop.fs.Path(path.as_uri()))
        except Py4JJavaError as error:
            raise ConfigError(f"{uri} cannot be read: {error.java_exception.getMessage()}") from error

    def _unpack(self, uri: str) -> None:
        path = self._path(uri)
        alias = uri.partition("#")[2] or path.name
        try:
            shutil.unpack_archive(path, self._own("files") / alias, "zip" if path.suffix == ".jar" else None)
        except (shutil.ReadError, ValueError) as error:
            raise ConfigError(f"{uri} cannot be unpacked: {error}") from error

    def _show(self) -> None:
        """Let `SparkFiles.get` of this process find the job's files; the driver's own folder is shared by all jobs."""
        from pyspark import SparkFiles

        folder = self._own("files")
        for uri in self._job.files:
            path = self._path(uri)
            shutil.copy(path, folder / (uri.partition("#")[2] or path.name))
        SparkFiles._root_directory, SparkFiles._is_running_on_worker = str(folder), True

    def _own(self, kind: str) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(dir=self._parent))
            # registered before any of the job's own: runs after them
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        (self._folder / kind).mkdir(exist_ok=True)
        return self._folder / kind


def _run(program: Path, shown: str, arguments: Iterable[str]) -> int:
    """Run a file as `__main__`; the traceback of an error shows the job's own part alone."""
    sys.argv = [shown, *arguments]
    module = ModuleType("__main__")
    module.__dict__.update(__file__=str(program), __builtins__=__builtins__)
    sys.modules["__main__"] = module
    own_errors = os.dup(2)
    # as org.apache.spark.deploy.PythonRunner has it: all that a job writes comes out on stdout, in its order
    os.dup2(1, 2)
    try:
        code = compile(program.read_bytes(), program, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - it is what was asked for
    except HarnessError as error:
        os.dup2(own_errors, 2)
        _say(str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the interpreter's own last resort, which this process stands for
        trace = error.__traceback__
        shortened = error.with_traceback(trace and trace.tb_next)
        sys.excepthook(type(error), shortened, shortened.__traceback__)
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"spark-submit: {line}\n")
