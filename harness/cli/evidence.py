"""`harness evidence`: verifies evidence files, and merges those of a matrix."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import EnvironmentsDir, Json, print_json

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Keys = Annotated[
    list[Path] | None, typer.Option("--key", metavar="FILE", help="Public key (PEM); repeat it for several.")
]


@app.callback()
def evidence() -> None:
    """Verify evidence files, and merge those of a matrix."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An evidence file, *.dsse.json.")],
    key: Keys = None,
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Hold an evidence file against this project: each subject that differs is named.

    Exit code 0: it is about exactly what is here. 1: it is not, or its signature does not fit.
    """
    from harness.gate.verify import verify as verify_file

    project = environments.resolve().parent
    found = verify_file(file, project, environments, key or [], now=datetime.now(UTC))
    if as_json:
        print_json(found.model_dump(mode="json", by_alias=True))
    else:
        for mismatch in found.mismatches:
            typer.echo(mismatch)
        for note in found.notes:
            typer.echo(f"note: {note}", err=True)
        by = f" by {', '.join(found.signers)}" if found.signers else ""
        about = f"{found.environment}, commit {found.commit[:12] or 'none'}, {found.finished:%Y-%m-%d %H:%M} UTC"
        typer.echo(
            f"{found.verdict.upper()} {found.result} evidence for {about}; {found.signature}{by}; "
            f"{found.subjects} subjects, {len(found.mismatches)} mismatches"
        )
    raise typer.Exit(0 if found.verdict == "pass" else 1)


@app.command()
def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Evidence of one commit and environment.")],
    sign: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Private key (PEM) to sign the result with.")
    ] = None,
    key: Annotated[
        list[Path] | None, typer.Option("--verify-with", metavar="FILE", help="Public key that signed the parts.")
    ] = None,
    environments: EnvironmentsDir = Path("environments"),
) -> None:
    """Make one evidence file of several, such as those of the shards of a matrix; its path is printed."""
    from harness.errors import ConfigError
    from harness.gate import store
    from harness.gate.evidence import open_claim, seal, statement
    from harness.gate.merge import merge as merged

    claims = [open_claim(file, key or []) for file in files]
    if key and (unsure := next((one for one in claims if one.signature.state != "verified"), None)):
        raise ConfigError(f"is {unsure.signature.state} by the keys given", path=unsure.file)
    found, subjects = merged(claims)
    passed = all(one.outcome == "pass" for one in found.collected)
    content = seal(statement(found, subjects, passed=passed), [sign] if sign else [])
    path = store.write(environments.resolve().parent, found.environment, found.commit, content)
    typer.echo(str(path))
