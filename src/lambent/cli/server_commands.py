"""Commands for who runs a platform: up, status, down, gc, service."""

from pathlib import Path
from typing import Annotated

import typer

from lambent.cli.linux_only import require_linux
from lambent.cli.options import SWITCH, ConfigFile, Json, Set, load
from lambent.cli.output import (
    UsageError,
    print_error,
    print_json,
    print_note,
    print_table,
    progress,
)

DataDir = Annotated[str | None, typer.Option("--data-dir", metavar="DIR", help="Of the platform.")]


def add_to(app: typer.Typer) -> None:
    """Make these commands of the program."""
    for command in (up, status, down, gc, service):
        app.command()(command)


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[str | None, typer.Option(metavar="PORT", help="0 takes any free port.")] = None,
    data_dir: Annotated[str | None, typer.Option(metavar="DIR", help="Where data is kept.")] = None,
    auth: Annotated[
        str | None, typer.Option(metavar="MODE", help="strict: every request signed and allowed.")
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help="Serve HTTPS.")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="Its private key.")] = None,
    services: Annotated[
        bool,
        typer.Option(
            "--services", metavar=SWITCH, help="Also run an emulator for SQS, SNS, S3 and others."
        ),
    ] = False,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", metavar=SWITCH, help="Run in the background; returns when it is ready."
        ),
    ] = False,
    config: ConfigFile = None,
    settings: Set = None,
) -> None:
    """Start the platform; Ctrl-C stops it, or `lambent down`."""
    require_linux("up")
    flags = {
        "host": host,
        "port": port,
        "data-dir": data_dir,
        "auth": auth,
        "tls-cert": tls_cert,
        "tls-key": tls_key,
        "services": "true" if services else None,
    }
    loaded = load(config, settings, flags)
    if detach:
        _start_detached(loaded.settings.server.data_dir, _arguments(flags, config, settings))
        return
    from lambent.assembly.platform import run

    run(loaded.settings)


def _arguments(
    flags: dict[str, str | None], config: Path | None, settings: list[str] | None
) -> list[str]:
    """The same once more, for a process of its own."""
    given = {name: text for name, text in flags.items() if text is not None}
    return [
        *(
            "--services" if name == "services" else f"--{name}={text}"
            for name, text in given.items()
        ),
        *([] if config is None else [f"--config={config}"]),
        *(f"--set={text}" for text in settings or ()),
    ]


def _start_detached(data_dir: Path, arguments: list[str]) -> None:
    from lambent.cli.detached import start

    facts = start(data_dir, arguments)
    print(f"lambent is ready at {facts.url}")
    print_note(f"pid {facts.pid}, log {facts.log}; `lambent status` shows more")


def status(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Show whether a platform runs, and how it is. Exit code 3: none runs; 4: cannot tell."""
    require_linux("status")
    from lambent.cli import running

    found = running.status(load(config, settings, {"data-dir": data_dir}).settings.server.data_dir)
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
        float, typer.Option(metavar="SECONDS", help="How long to wait for what is in progress.")
    ] = 60.0,
    force: Annotated[
        bool, typer.Option("--force", metavar=SWITCH, help="Do not wait: the same as --wait 0.")
    ] = False,
    config: ConfigFile = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Stop the platform: let it finish what is in progress, then cut that off."""
    require_linux("down")
    from lambent.cli import running

    if not 0 <= wait <= 86_400:
        raise UsageError(f"cannot use --wait {wait:g}: give seconds, 0 to 86400")
    loaded = load(config, settings, {"data-dir": data_dir})
    with progress() as show:
        done = running.stop(loaded.settings.server.data_dir, 0.0 if force else wait, show)
    if as_json:
        print_json(done)
    elif not done["stopped"]:
        print_note(f"no platform runs in {done['data_dir']}")
    else:
        ends = {
            "finished": "what was in progress was finished",
            "cut off": "invocations that still ran were cut off",
            "killed": "it did not end by itself and was killed",
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
    """Remove what is no longer needed: old runtime clients, code, leftovers of killed platforms."""
    require_linux("gc")
    from lambent.upkeep.gc import collect

    loaded = load(config, settings, {"data-dir": data_dir})
    items = collect(loaded.settings, is_dry=dry_run)
    total = sum(one.bytes for one in items if not one.problem)
    if as_json:
        found = [one.as_json() for one in items]
        print_json({"dry_run": dry_run, "bytes": total, "items": found})
    else:
        rows = [{**one.as_json(), "bytes": f"{one.bytes:,}"} for one in items]
        if rows:
            print_table(("kind", "place", "bytes", "problem"), rows)
        verb = "would be" if dry_run else "were"
        print_note(f"{len(items)} things, {total:,} bytes {verb} removed")
    if any(one.problem for one in items):
        raise typer.Exit(1)


def service(
    user: Annotated[
        bool, typer.Option("--user", metavar=SWITCH, help="One for this user, without root.")
    ] = False,
) -> None:
    """Print a systemd unit that runs the platform; docs/run-as-a-service.md says how to use it."""
    require_linux("service")
    from lambent.cli.service import unit

    print(unit(is_of_user=user), end="")
