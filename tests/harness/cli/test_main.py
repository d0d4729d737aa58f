from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main as cli
from harness.errors import ConfigError, HarnessError, NothingChecked, ServiceError

RED = "\x1b[31m"
Call = Callable[..., int]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Call the command line with `run` replaced by a function of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def call(command: Callable[[], None], *words: str) -> int:
        monkeypatch.setitem(cli.COMMANDS, "run", cli.Command("stand_in:run", "for the test"))
        monkeypatch.setitem(sys.modules, "stand_in", type(sys)("stand_in"))
        sys.modules["stand_in"].run = command  # type: ignore[attr-defined]
        return cli.main(["run", *words])

    return call


def raising(error: BaseException) -> Callable[[], None]:
    def command(json: bool = False) -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HarnessError("a verdict"), 1),
        (ConfigError("unknown key", path="dev.yaml", line=3, column=5), 2),
        (ServiceError("did not start", role="kafka", engine="embedded"), 3),
        (NothingChecked("no DAG in dags"), 4),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("division by zero"), 70),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_kind_of_error_ends_with_its_exit_code_and_no_traceback(
    call: Call, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    assert call(raising(error)) == code

    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert "Traceback" not in told.err


def test_an_error_of_the_users_says_file_line_and_column(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    call(raising(ConfigError("unknown key", path="dev.yaml", line=3, column=5, hint="did you mean 'topics'?")))

    assert capsys.readouterr().err == "dev.yaml:3:5: unknown key; did you mean 'topics'?\n"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(ServiceError("lost"), "error"), (NothingChecked("no DAG"), "empty"), (ValueError(), "error")],
)
def test_who_asks_for_json_gets_one_object_even_when_it_fails(
    call: Call, capsys: pytest.CaptureFixture[str], error: Exception, verdict: str
) -> None:
    call(raising(error), "--json")

    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert (answer["schema"], answer["verdict"]) == ("harness.run/1", verdict)
    assert answer["reasons"] == [told.err.rstrip("\n")]


def test_json_that_is_asked_of_another_program_is_not_ours(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    def command(words: list[str]) -> None:
        raise HarnessError("failed")

    call(command, "--", "jq", "--json")

    assert capsys.readouterr().out == ""


def test_a_bug_leaves_its_traceback_in_a_private_file(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    call(raising(ZeroDivisionError("division by zero")))

    line = capsys.readouterr().err
    kept = Path(line.rsplit(maxsplit=1)[-1])
    assert line.startswith("internal error: ZeroDivisionError: division by zero; please report it; traceback in ")
    assert "Traceback (most recent call last)" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_bug_shows_its_traceback_to_who_asks_for_it(
    call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DEBUG", "1")

    call(raising(ZeroDivisionError("division by zero")))

    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_the_exit_code_that_a_command_chooses_is_kept(call: Call) -> None:
    import typer

    assert call(raising(typer.Exit(1))) == 1


def harness(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runn"], "No such command 'runn'. Did you mean 'run'?; try 'harness --help'"),
        (["--nope"], "No such option: --nope; try 'harness --help'"),
        (["doctor", "--nope"], "No such option: --nope; try 'harness doctor --help'"),
    ],
)
def test_words_that_are_not_understood_end_with_2_and_one_line(words: list[str], message: str) -> None:
    ended = harness(*words)

    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{message}\n")


def test_without_words_the_help_is_shown() -> None:
    ended = harness()

    assert ended.returncode == 2
    assert ended.stdout == harness("--help").stdout


def test_the_help_names_every_command() -> None:
    shown = harness("--help")

    assert shown.returncode == 0
    assert set(re.findall(r"^  ([a-z]+) ", shown.stdout.partition("Commands:")[2], re.MULTILINE)) == set(cli.COMMANDS)


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert harness("--version").stdout == f"dtap-harness {version('dtap-harness')}\n"


def test_a_reader_who_leaves_early_is_not_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "harness", "--help"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, "")


ON_A_TERMINAL = """
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn([sys.executable, "-m", "harness", "runn"])))
"""


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_errors_are_red_on_a_terminal_unless_no_color_is_set(environ: dict[str, str], coloured: bool) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    shown = subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, "TERM": "xterm", **environ},
    )

    assert shown.returncode == 2
    assert (RED in shown.stdout) is coloured


def test_errors_are_plain_when_nobody_looks() -> None:
    assert RED not in harness("runn").stderr


STOPPED = """
import os, signal, sys, types
from harness.cli import main as cli

def run():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    finally:
        print("given back", flush=True)

sys.modules["stand_in"] = types.ModuleType("stand_in")
sys.modules["stand_in"].run = run
cli.COMMANDS["run"] = cli.Command("stand_in:run", "")
sys.exit(cli.main(["run"]))
"""


def test_sigterm_unwinds_the_command() -> None:
    ended = subprocess.run([sys.executable, "-c", STOPPED], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "given back\n", "")


def test_the_help_imports_nothing_that_only_commands_need() -> None:
    code = """
import sys
from harness.cli import main as cli
assert cli.main(["--help"]) == 0
heavy = {"pydantic", "rich", "airflow", "pyspark", "boto3", "psycopg", "confluent_kafka", "httpx", "ruamel", "pluggy"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.stderr == "[]\n"


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_of_the_table_exists_and_explains_itself(name: str) -> None:
    shown = harness(name, "--help")

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"Usage: harness {name} ")
