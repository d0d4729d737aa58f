"""`harness images`: which image serves which role, and building those for hosts that cannot pull."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Literal

import typer

from harness.cli.options import Json, print_json
from harness.errors import HarnessError, ServiceError
from harness.models.service import ServiceEvent

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show for each role the image that an environment gets which names none, and whether it is here."""
    from rich.table import Column, Table

    from harness.engines.images import recipes
    from harness.report.console import console

    sizes, problem = _sizes()
    rows = []
    for recipe in recipes().values():
        own, official = sizes.get(recipe.tag), sizes.get(recipe.official)
        used = recipe.tag if own is not None else recipe.official
        size = own if own is not None else official
        state = "unknown" if problem else "here" if size is not None else "to be pulled or built"
        rows.append({"role": recipe.role, "image": used, "state": state, "size": size, "builds": recipe.tag})
    if as_json:
        print_json({"schema": "harness.images/1", "images": rows, "problem": problem})
        return
    table = Table("role", Column("image", no_wrap=True), "state", "size", box=None, pad_edge=False)
    for row in rows:
        shown = f"{int(row['size']) / 1e6:.0f} MB" if row["size"] is not None else ""
        table.add_row(str(row["role"]), str(row["image"]), str(row["state"]), shown)
    console(stderr=False).print(table)
    if problem:
        typer.echo(problem, err=True)


@app.command()
def build(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME ...]", help="Which: postgres, minio, kafka, spark.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Build again, with the base's newest packages.")] = False,
) -> None:
    """Build the images for hosts that cannot pull the official ones; what is here with the same content stays.

    Needs Docker or Podman, a base debian:bookworm-slim, and for minio a Go compiler.
    """
    from harness.engines.container.docker_engine import connect
    from harness.engines.image_build import build as build_image
    from harness.engines.images import holds, recipe_for, recipes
    from harness.report.console import StartProgress

    chosen = [recipe_for(name) for name in names or recipes()]
    client = connect()
    failures: list[HarnessError] = []
    with StartProgress() as show:
        for recipe in chosen:
            say = _Teller(recipe.name, show)
            if not force and holds(client, recipe.tag):
                say("ready", f"{recipe.tag} is here")
                continue
            try:
                build_image(client, recipe, lambda line, say=say: say("starting", line), fresh=force)  # type: ignore[misc]
                say("ready")
            except HarnessError as error:
                say("failed")
                failures.append(error)
    for failure in failures:
        typer.secho(str(failure), err=True, fg="red")
    if failures:
        raise ServiceError(f"{len(failures)} of {len(chosen)} images could not be built", hint="see above")
    for recipe in chosen:
        typer.echo(recipe.tag)


class _Teller:
    """Tells the progress display about one image, with the seconds since it began."""

    def __init__(self, name: str, show: Callable[[ServiceEvent], None]) -> None:
        self._name, self._show, self._began = name, show, time.monotonic()

    def __call__(self, phase: Literal["starting", "ready", "failed"], detail: str = "") -> None:
        seconds = time.monotonic() - self._began
        self._show(ServiceEvent(service=self._name, engine="image", phase=phase, seconds=seconds, detail=detail))


def _sizes() -> tuple[dict[str, int], str | None]:
    """Return name -> bytes of the images that the engine holds, or why that is not known."""
    from harness.engines.container.docker_engine import connect

    try:
        client = connect()
    except ServiceError as error:
        return {}, str(error)
    found: dict[str, int] = {}
    for image in client.images.list():
        names = [*image.tags, *(image.attrs.get("RepoDigests") or [])]
        found |= {name: int(image.attrs["Size"]) for name in names}
    return found, None
