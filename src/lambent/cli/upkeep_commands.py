"""`lambent doctor`, `backup`, `restore` and `config`: they need no running platform."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.linux_only import require_linux
from lambent.cli.options import (
    ConfigFile,
    DataDir,
    Json,
    Set,
    load,
    load_for,
)
from lambent.cli.output import (
    print_error,
    print_json,
    print_note,
    print_table,
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (doctor, backup, restore):
        app.command()(command)
    config = typer.Typer(help="The platform's settings.", no_args_is_help=True)
    config.command("show")(show_config)
    app.add_typer(config, name="config")


def doctor(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Examine this machine, try a sandbox on it, and say how to fix what is missing.

    Exit code 0: functions can run, perhaps less isolated; 1: they cannot; 2: wrong usage.
    """
    require_linux("doctor")
    from lambent.cli.doctor_page import print_report
    from lambent.upkeep.doctor import examine

    report = examine(load_for(data_dir, config, settings))
    if as_json:
        print_json(report.as_json())
    else:
        print_report(report)
    if report.state == "broken":
        raise typer.Exit(1)


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to write; it will hold secrets.")
    ],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Copy functions, packages, keys and queued events into a file, while the platform runs."""
    require_linux("backup")
    from lambent.upkeep.backup import back_up

    _print_contents(back_up(load_for(data_dir, config, settings), file), "backed up to", as_json)


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that `lambent backup` wrote.")
    ],
    data_dir: DataDir = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Restore a backup into a new, empty data directory; then start it with `lambent up`."""
    require_linux("restore")
    from lambent.upkeep.backup import restore as restore_backup

    _print_contents(
        restore_backup(load_for(data_dir, config, settings), file), "restored from", as_json
    )


def _print_contents(contents: dict[str, Any], verb: str, as_json: bool) -> None:
    if as_json:
        print_json(contents)
    else:
        print_note(
            f"{verb} {contents['file']}: {contents['packages']} packages,"
            f" {contents['events']} queued events, {contents['bytes']:,} bytes"
        )
    if contents["missing"]:
        some = ", ".join(contents["missing"][:3])
        print_error(f"{len(contents['missing'])} files are missing or damaged: {some}")
        raise typer.Exit(1)


def show_config(config: ConfigFile = None, settings: Set = None, as_json: Json = False) -> None:
    """Print every setting, its value and the source of the value."""
    loaded = load(config, settings, {})
    rows = [
        {"setting": name, "value": value, "source": loaded.sources[name]}
        for name, value in loaded.shown().items()
    ]
    if as_json:
        print_json({row.pop("setting"): row for row in rows})
    else:
        shown = [{**row, "value": json.dumps(row["value"])} for row in rows]
        print_table(("setting", "value", "source"), shown)
