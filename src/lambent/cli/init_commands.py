"""`lambent init`."""

from pathlib import Path
from typing import Annotated

import typer

from lambent.cli.completion import complete_template
from lambent.cli.options import Json
from lambent.cli.output import print_json, print_note


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(init)


def init(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write it.")] = Path(),
    template: Annotated[
        str,
        typer.Option(
            "--template",
            "-t",
            metavar="NAME",
            help="python, node, typescript, go, http-api, http-api-node, queue-worker or cron.",
            autocompletion=complete_template,
        ),
    ] = "python",
    as_json: Json = False,
) -> None:
    """Write a function with its test and README into a directory."""
    from lambent.cli.init import create

    files = create(directory, template)
    if as_json:
        print_json([str(path) for path in files])
        return
    for path in files:
        print(path)
    print_note(f"next: `lambent dev {directory}`, or the commands in {directory / 'README.md'}")
