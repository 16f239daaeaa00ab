"""Commands for the operator of a platform: up, status, down, gc, service."""

import gc as garbage
import socket
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.linux_only import require_linux
from lambent.cli.options import SWITCH, ConfigFile, DataDir, Json, Set, load, load_for
from lambent.cli.output import (
    CliError,
    UsageError,
    print_error,
    print_json,
    print_note,
    print_table,
    progress,
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (up, status, down, gc, service, certificate):
        app.command()(command)
    app.command("open")(open_console)


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Port to listen on; 0 picks a free one.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(metavar="DIR", help="Data directory.")] = None,
    auth: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="strict: requests must be signed and allowed."),
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Certificate; serve HTTPS.")
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option(metavar="FILE", help="Private key of the certificate.")
    ] = None,
    tls: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="auto: serve HTTPS as well, with own certificates."),
    ] = None,
    tls_port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Port of --tls auto; 0 picks a free one.")
    ] = None,
    cells: Annotated[
        str | None,
        typer.Option(metavar="N", help="Processes that serve: a number, or auto for all cores."),
    ] = None,
    services: Annotated[
        bool,
        typer.Option(
            "--services", metavar=SWITCH, help="Also run an emulator of SQS, SNS, S3 and others."
        ),
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", metavar=SWITCH, help="Run in the background; return when ready."),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            metavar=SWITCH,
            help="Take the place of the platform that runs there; no connection is refused.",
        ),
    ] = False,
    config: ConfigFile = None,
    settings: Set = None,
) -> None:
    """Start the platform; Ctrl-C or `lambent down` stops it."""
    require_linux("up")
    flags = {
        "host": host,
        "port": port,
        "data-dir": data_dir,
        "auth": auth,
        "tls-cert": tls_cert,
        "tls-key": tls_key,
        "tls": tls,
        "tls-port": tls_port,
        "cells": cells,
        "services": "true" if services else None,
    }
    loaded = load(config, settings, flags)
    if detach:
        arguments = _arguments(flags, config, settings)
        _start_detached(loaded.settings.server.data_dir, arguments, replaces=replace)
        return
    from lambent.assembly.cells import cells_of, run_cells

    count = cells_of(loaded.settings)
    taken_over = _take_over(loaded.settings) if replace else {}
    if count > 1:
        run_cells(loaded.settings, taken_over, count)
        return
    # What loads now stays loaded. The platform starts garbage collection when it is ready.
    garbage.disable()
    from lambent.assembly.platform import run

    run(loaded.settings, taken_over)


def _take_over(settings: Any) -> dict[str, socket.socket]:
    """Stop the platform that runs; returns its listening sockets."""
    from lambent.cli import running

    with progress() as show:
        return running.take_over(settings.server, show)


def _arguments(
    flags: dict[str, str | None], config: Path | None, settings: list[str] | None
) -> list[str]:
    """The same arguments, for a separate process."""
    given = {name: text for name, text in flags.items() if text is not None}
    return [
        *(
            "--services" if name == "services" else f"--{name}={text}"
            for name, text in given.items()
        ),
        *([] if config is None else [f"--config={config}"]),
        *(f"--set={text}" for text in settings or ()),
    ]


def _start_detached(data_dir: Path, arguments: list[str], *, replaces: bool) -> None:
    from lambent.cli.detached import start

    facts = start(data_dir, arguments, replaces=replaces)
    print(f"lambent is ready at {facts.url}")
    print_note(f"pid {facts.pid}, log {facts.log}; `lambent status` shows more")


def status(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Show whether a platform runs, and its state. Exit code 3: none runs; 4: unknown."""
    require_linux("status")
    from lambent.cli import running

    found = running.status(load_for(data_dir, config, settings).server.data_dir)
    if as_json:
        print_json(found)
    elif found["running"]:
        print_table(("what", ""), running.rows(found))
    else:
        print_error(f"no platform runs in {found['data_dir']}; `lambent up --detach` starts one")
    if not found["running"]:
        raise typer.Exit(running.NOT_RUNNING)


def down(
    data_dir: DataDir = None,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait for requests in progress.")
    ] = 60.0,
    force: Annotated[
        bool, typer.Option("--force", metavar=SWITCH, help="Do not wait: the same as --wait 0.")
    ] = False,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Stop the platform: let requests in progress finish, then cut them off."""
    require_linux("down")
    from lambent.cli import running

    if not 0 <= wait <= 86_400:
        raise UsageError(f"cannot use --wait {wait:g}: give seconds, 0 to 86400")
    chosen = load_for(data_dir, config, settings)
    with progress() as show:
        done = running.stop(chosen.server.data_dir, 0.0 if force else wait, show)
    if as_json:
        print_json(done)
    elif not done["stopped"]:
        print_note(f"no platform runs in {done['data_dir']}")
    else:
        ends = {
            "finished": "requests in progress were finished",
            "cut off": "invocations still running were cut off",
            "killed": "it did not end and was killed",
        }
        where = done["url"] or done["data_dir"]
        print_note(
            f"stopped {where} (pid {done['pid']}) after {done['took_s']:g} s: {ends[done['how']]}"
        )


def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar=SWITCH, help="Only show what would be removed.")
    ] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Remove what is not needed: old runtime clients, code, leftovers of killed platforms."""
    require_linux("gc")
    from lambent.upkeep.gc import collect

    items = collect(load_for(data_dir, config, settings), is_dry=dry_run)
    total = sum(item.bytes for item in items if not item.problem)
    if as_json:
        found = [item.as_json() for item in items]
        print_json({"dry_run": dry_run, "bytes": total, "items": found})
    else:
        rows = [{**item.as_json(), "bytes": f"{item.bytes:,}"} for item in items]
        if rows:
            print_table(("kind", "place", "bytes", "problem"), rows)
        verb = "would be" if dry_run else "were"
        print_note(f"{len(items)} things, {total:,} bytes {verb} removed")
    if any(item.problem for item in items):
        raise typer.Exit(1)


def service(
    user: Annotated[
        bool, typer.Option("--user", metavar=SWITCH, help="A unit of this user, without root.")
    ] = False,
    port: Annotated[
        bool,
        typer.Option(
            "--socket",
            metavar=SWITCH,
            help="Print the unit of its port instead: then a restart refuses no connection.",
        ),
    ] = False,
) -> None:
    """Print a systemd unit that runs the platform; docs/run-as-a-service.md says how to use it."""
    require_linux("service")
    from lambent.cli.service import SOCKET, unit

    print(SOCKET.read_text(encoding="utf-8") if port else unit(is_of_user=user), end="")


def certificate(
    data_dir: DataDir = None, config: ConfigFile = None, settings: Set = None, as_json: Json = False
) -> None:
    """Print the path of the certificate to trust, for `up --tls auto`."""
    from lambent.instance.data_directory import DataDirectory

    root = load_for(data_dir, config, settings).server.data_dir.absolute()
    path = DataDirectory(root).ca_certificate
    if not path.exists():
        raise CliError(f"there is no certificate at {path} yet: `lambent up` makes it")
    if as_json:
        print_json({"certificate": str(path)})
    else:
        print(path)


def open_console(
    no_browser: Annotated[
        bool, typer.Option("--no-browser", metavar=SWITCH, help="Only print the address.")
    ] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Open the console in a browser, and print its address. On a strict platform the address signs
    in as root, once and within two minutes."""
    require_linux("open")
    from lambent.cli import running

    url = running.console_url(load_for(data_dir, config, settings).server.data_dir)
    if as_json:
        print_json({"url": url})
    else:
        print(url)
    if not (no_browser or as_json):
        import webbrowser

        webbrowser.open(url)
