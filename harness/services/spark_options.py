"""Reads a command line of spark-submit: what a driver that runs already can honour, ignores, and must refuse.

The options are those of `spark-submit --help` of Spark 4.0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.errors import ConfigError

#: options that are another way to give a setting
_SETTINGS = {
    "--master": "spark.master",
    "--deploy-mode": "spark.submit.deployMode",
    "--name": "spark.app.name",
    "--packages": "spark.jars.packages",
    "--jars": "spark.jars",
    "--py-files": "spark.submit.pyFiles",
    "--files": "spark.files",
    "--archives": "spark.archives",
    "--driver-class-path": "spark.driver.extraClassPath",
}

#: how large processes are and where they run, where packages come from, who one is: of no effect on what is computed
_WITHOUT_USE = (
    "--driver-memory",
    "--driver-java-options",
    "--driver-library-path",
    "--driver-cores",
    "--executor-memory",
    "--executor-cores",
    "--total-executor-cores",
    "--num-executors",
    "--exclude-packages",
    "--repositories",
    "--proxy-user",
    "--principal",
    "--keytab",
    "--queue",
)
_FLAGS_WITHOUT_USE = ("--supervise", "--load-spark-defaults")

#: the same as settings; the groups of Spark's page "Configuration" that size, place and watch processes
_SETTINGS_WITHOUT_USE = (
    *("spark.driver.", "spark.executor.", "spark.cores.", "spark.task.", "spark.dynamicAllocation."),
    *("spark.memory.", "spark.shuffle.", "spark.network.", "spark.rpc.", "spark.scheduler.", "spark.speculation"),
    *("spark.eventLog.", "spark.ui.", "spark.history.", "spark.metrics.", "spark.log", "spark.local.dir"),
    *("spark.serializer", "spark.kryo", "spark.io.", "spark.rdd.", "spark.broadcast.", "spark.storage."),
    *("spark.locality.", "spark.reducer.", "spark.cleaner.", "spark.decommission.", "spark.default.parallelism"),
    *("spark.yarn.", "spark.kubernetes.", "spark.jars.excludes", "spark.jars.repositories", "spark.jars.ivy"),
    "spark.pyspark.driver.python",
)

#: settings that name files, and the interpreter; all others are the session's
_OF_FILES = ("spark.submit.pyFiles", "spark.files", "spark.archives", "spark.jars", "spark.pyspark.python")
_CLASS_PATHS = ("spark.driver.extraClassPath", "spark.executor.extraClassPath")


@dataclass(frozen=True)
class Job:
    """What a command line asks for.

    Args:
        application: a Python file, as a path or URI.
        arguments: its own.
        settings: for its session.
        modules: what `--py-files` names.
        files: what `--files` names; `#` precedes another name.
        archives: what `--archives` names; likewise.
        jars: what it wants on the class path.
        python: the interpreter of Spark's workers, if another one.
        ignored: options and settings without use for a driver that runs already.
    """

    application: str
    arguments: tuple[str, ...]
    settings: Mapping[str, str]
    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    jars: tuple[str, ...] = ()
    python: str | None = None
    ignored: tuple[str, ...] = ()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, hint="see `spark-submit --help`")


def read_job(argv: Sequence[str]) -> Job | None:
    """Return the job that a command line asks for; None when it asked for `--version`, which is printed.

    Raises:
        ConfigError: it cannot be had from the resident driver.
        SystemExit: after `--help`.
    """
    parser = _parser()
    own, rest = _split(parser, argv)
    options = vars(parser.parse_args(own))
    if options["version"]:
        sys.stdout.write(f"Spark {_version()}, the environment's resident driver\n")
        return None
    _refuse_commands(options)
    settings = _settings(options)
    application = _application(rest, settings)
    if settings.pop("spark.submit.deployMode", "client") != "client":
        raise ConfigError("cluster mode needs a cluster", hint="leave out --deploy-mode, or run it on one")
    ignored = [option for option in (*_WITHOUT_USE, *_FLAGS_WITHOUT_USE, "--class") if options[option]]
    ignored += [key for key in settings if key.startswith(_SETTINGS_WITHOUT_USE) and key not in _CLASS_PATHS]
    return Job(
        application=application,
        arguments=tuple(rest[1:]),
        settings={
            key: value
            for key, value in settings.items()
            if not key.startswith(_SETTINGS_WITHOUT_USE) and key not in _OF_FILES
        },
        modules=_names(settings, "spark.submit.pyFiles"),
        files=_names(settings, "spark.files"),
        archives=_names(settings, "spark.archives"),
        jars=(*_names(settings, "spark.jars"), *_class_path(settings)),
        python=settings.get("spark.pyspark.python"),
        ignored=tuple(ignored),
    )


def _parser() -> _Parser:
    parser = _Parser(
        prog="spark-submit",
        usage="spark-submit [options] <python file> [arguments]",
        description="Hands a Python job to the environment's resident Spark driver.",
        allow_abbrev=False,
    )
    for option, setting in _SETTINGS.items():
        parser.add_argument(option, dest=option, metavar="VALUE", help=f"the same as --conf {setting}=VALUE")
    parser.add_argument("--conf", "-c", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark")
    parser.add_argument("--properties-file", metavar="FILE", help="more settings; those given otherwise win")
    parser.add_argument("--verbose", "-v", action="store_true", help="accepted; there is nothing more to tell")
    parser.add_argument("--version", action="store_true", help="print the version of Spark")
    for option in _WITHOUT_USE:
        parser.add_argument(option, dest=option, metavar="VALUE", help="accepted, and of no use here")
    for option in _FLAGS_WITHOUT_USE:
        parser.add_argument(option, dest=option, action="store_true", help="accepted, and of no use here")
    for option in ("--class", "--remote", "--kill", "--status"):
        parser.add_argument(option, dest=option, metavar="VALUE", help="refused: needs a cluster, or a JVM application")
    return parser


def _split(parser: argparse.ArgumentParser, argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the options from the application and what follows it; a value may begin with a dash (`-Dkey=value`)."""
    valued = {option for action in parser._actions if action.nargs is None for option in action.option_strings}
    own: list[str] = []
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        own.append(f"{word}={rest.pop(0)}" if word in valued and rest else word)
    return own, rest


def _refuse_commands(options: Mapping[str, object]) -> None:
    if options["--kill"] or options["--status"]:
        raise ConfigError("--kill and --status are about drivers on a cluster, and there is none here")
    if options["--remote"]:
        raise ConfigError("--remote asks for a Spark Connect server, and this is a driver", hint="leave it out")


def _settings(options: Mapping[str, str | None]) -> dict[str, str]:
    """Return all settings; what comes first wins: options, `--conf`, the file (Spark, "Loading Configuration")."""
    file = options["properties_file"]
    settings = _properties(Path(file)) if file else {}
    for pair in options["conf"] or ():
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--conf {pair} has no value", hint="--conf KEY=VALUE")
        settings[key.strip()] = value
    return settings | {setting: given for option, setting in _SETTINGS.items() if (given := options[option])}


def _properties(path: Path) -> dict[str, str]:
    """Read Java's properties, as spark-defaults.conf has them; only keys of Spark count."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--properties-file {path} cannot be read: {error}") from error
    settings = {}
    for line in map(str.strip, lines):
        if line and line[0] not in "#!":
            key = min(line.split(maxsplit=1)[0], line.partition("=")[0], line.partition(":")[0], key=len)
            settings[key] = line[len(key) :].lstrip().removeprefix("=").removeprefix(":").strip()
    return {key: value for key, value in settings.items() if key.startswith("spark.")}


def _application(rest: Sequence[str], settings: Mapping[str, str]) -> str:
    if not rest:
        raise ConfigError("there is no job: missing application resource", hint="spark-submit [options] job.py")
    if not rest[0].partition("#")[0].endswith(".py"):
        raise ConfigError(
            f"{rest[0]} is not a Python file, and the resident driver runs Python jobs alone",
            hint="run JVM and R applications in a stage whose Spark is a cluster",
        )
    master = settings.get("spark.master", "local")
    if master.startswith(("yarn", "k8s", "mesos")):
        raise ConfigError(
            f"spark.master={master} needs a cluster of that kind",
            hint="take the master from the environment, as the connection of its Spark has it",
        )
    return rest[0]


def _names(settings: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in settings.get(key, "").split(","))))


def _class_path(settings: Mapping[str, str]) -> Iterable[str]:
    """Yield the jars of class paths; folders there are for log settings and the like."""
    for key in _CLASS_PATHS:
        yield from (part for part in settings.get(key, "").split(":") if part.endswith(".jar"))


def _version() -> str:
    from importlib.metadata import version

    return version("pyspark")
