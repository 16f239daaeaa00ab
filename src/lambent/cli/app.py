"""The commands of `lambent`.

This module must stay quick to import: what a command needs is imported inside it. Each command
reads its arguments, calls one module and prints; `--json` prints one JSON document on stdout and
nothing else. Exit codes: 0 success, 1 the function or the platform failed, 2 wrong usage.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli import api_commands, server_commands
from lambent.cli.linux_only import require_linux
from lambent.cli.options import (
    SWITCH,
    ConfigFile,
    DataDir,
    Endpoint,
    Json,
    Name,
    Set,
    load,
    load_for,
    pairs,
)
from lambent.cli.output import (
    CliError,
    UsageError,
    print_error,
    print_json,
    print_note,
    print_table,
    progress,
)
from lambent.upkeep import UpkeepError

app = typer.Typer(
    help="AWS Lambda on machines you own. `lambent up` starts the platform; the other commands,"
    " and every AWS client, talk to it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="The platform's settings.", no_args_is_help=True)
app.add_typer(config_app, name="config")
keys_app = typer.Typer(help="Access keys for the platform.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
server_commands.add_to(app)
api_commands.add_to(app)

LOCAL = "http://127.0.0.1:5262"


def main() -> int:
    """Run one command; returns the exit code."""
    try:
        app(prog_name="lambent")
    except CliError as error:
        print_error(str(error))
        return error.exit_code
    except UpkeepError as error:
        print_error(str(error))
        return 1
    return 0


@app.callback(invoke_without_command=True)
def _version(
    show: Annotated[
        bool, typer.Option("--version", metavar=SWITCH, help="Print the version.")
    ] = False,
) -> None:
    if show:
        from importlib.metadata import version

        print(f"lambent {version('lambent')}")
        raise typer.Exit


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def deploy(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory with the code.")],
    name: Annotated[
        str | None, typer.Option(help="Function name; default: the directory's.")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="Runtime, such as python3.12 or nodejs22.x.")
    ] = None,
    handler: Annotated[str | None, typer.Option(help="Handler, such as app.handler.")] = None,
    role: Annotated[str | None, typer.Option(help="ARN of the execution role.")] = None,
    memory: Annotated[
        int | None, typer.Option(metavar="MB", help="Memory; the CPU share is proportional.")
    ] = None,
    timeout: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Timeout of an invocation.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="Description of the function.")] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Environment variable; may be repeated."),
    ] = None,
    url: Annotated[
        bool,
        typer.Option("--url", metavar=SWITCH, help="Also give it a URL that anyone may call."),
    ] = False,
    http_api: Annotated[
        bool,
        typer.Option("--http-api", metavar=SWITCH, help="Also put an HTTP API in front of it."),
    ] = False,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Create or update a function from a directory.

    Flags override the directory's function.toml; missing values are guessed from the files.
    """
    import dataclasses

    from lambent.cli.admin_api import runtime_hint
    from lambent.cli.client import open_client
    from lambent.cli.deploy import deploy as deploy_directory
    from lambent.cli.function_file import complete, likely_mistakes, read_function_file

    if not directory.is_dir():
        raise UsageError(f"cannot deploy {directory}: it is not a directory")
    wanted = read_function_file(directory)
    said = {
        **{"name": name, "runtime": runtime, "handler": handler, "role": role},
        **{"memory": memory, "timeout": timeout, "description": description},
        "environment": {**(wanted.environment or {}), **pairs(env, "--env")} if env else None,
    }
    flags: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    wanted = complete(dataclasses.replace(wanted, **flags), directory)
    open_s3 = partial(open_client, "s3", endpoint)
    with open_client("lambda", endpoint) as client, progress() as show:
        found = deploy_directory(client, open_s3, directory, wanted, show)
    found.pop("ResponseMetadata", None)
    addresses = _addresses(found, endpoint, with_url=url, with_http_api=http_api)
    if as_json:
        print_json({**found, **addresses})
    else:
        print_table((*_COLUMNS, "state"), [{**_row(found), "state": found["State"]}])
        for address in addresses.values():
            print(address)
    for note in likely_mistakes(directory, wanted):
        print_note(note)
    if hint := runtime_hint(endpoint, found["Runtime"]):
        raise CliError(f"{found['Runtime']} does not run on the platform's machine yet: {hint}")


@app.command()
def invoke(
    name: Name,
    data: Annotated[
        str,
        typer.Option(
            "--data", "-d", metavar="JSON", help="The event: JSON, @FILE, or - for stdin."
        ),
    ] = "{}",
    tail: Annotated[
        bool, typer.Option("--tail", metavar=SWITCH, help="Print the end of the log on stderr.")
    ] = False,
    qualifier: Annotated[str | None, typer.Option(help="Version or alias.")] = None,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Invoke a function and print its response."""
    from lambent.cli.client import open_client
    from lambent.cli.invoke import describe_failure, read_event
    from lambent.cli.invoke import invoke as invoke_function

    event = read_event(data)
    with open_client("lambda", endpoint) as client:
        answer = invoke_function(
            client, name, event, qualifier=qualifier, is_tailed=tail or as_json
        )
    if as_json:
        print_json(answer.as_json())
    else:
        if tail:
            print_note(answer.log.rstrip())
        sys.stdout.write(answer.payload.decode(errors="replace") + "\n")
    if answer.function_error:
        print_error(describe_failure(name, answer))
        raise typer.Exit(1)


@app.command()
def logs(
    name: Name,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", metavar=SWITCH, help="Wait for more until Ctrl-C.")
    ] = False,
    since: Annotated[str, typer.Option(help="How far back: 30s, 10m, 2h, 1d.")] = "10m",
    pattern: Annotated[str, typer.Option("--filter", help="CloudWatch Logs filter pattern.")] = "",
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Print a function's log."""
    from lambent.cli.client import open_client
    from lambent.cli.logs import follow_events, parse_since, read_events

    if follow and as_json:
        raise UsageError("cannot print one JSON document with --follow: leave out one of the two")
    since_s = parse_since(since)
    with open_client("lambda", endpoint) as client:
        function = client.get_function_configuration(FunctionName=name)["FunctionName"]
    with open_client("logs", endpoint) as client:
        if follow:
            for event in follow_events(client, function, since_s=since_s, pattern=pattern):
                _print_event(event)
            return
        events = list(read_events(client, function, since_s=since_s, pattern=pattern))
    if as_json:
        print_json(events)
    elif not events:
        print_note(f"nothing logged in the last {since}; --since goes further back")
    else:
        for event in events:
            _print_event(event)


@app.command()
def functions(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the functions."""
    from lambent.cli.client import open_client

    with open_client("lambda", endpoint) as client:
        pages = client.get_paginator("list_functions").paginate()
        found = [function for page in pages for function in page["Functions"]]
    if as_json:
        print_json(found)
    elif found:
        print_table(_COLUMNS, [_row(function) for function in found])
    else:
        print_note("no functions yet; `lambent deploy DIR` creates one")


@app.command()
def delete(name: Name, endpoint: Endpoint = LOCAL) -> None:
    """Delete a function and all its versions."""
    from lambent.cli.client import open_client

    with open_client("lambda", endpoint) as client:
        client.delete_function(FunctionName=name)


@app.command()
def queue(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only this function.")
    ] = None,
    purge: Annotated[
        bool,
        typer.Option("--purge", metavar=SWITCH, help="Discard the function's queued events."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", metavar=SWITCH, help="Do not ask.")] = False,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Show queued asynchronous events, by function."""
    from lambent.cli.admin_api import list_queues
    from lambent.cli.admin_api import purge as purge_queue

    if purge:
        if name is None:
            raise UsageError("--purge needs the name of a function")
        if not yes:
            typer.confirm(f"Discard all queued events of {name}?", abort=True)
        print_json({"function": name, "purged": purge_queue(endpoint, name)})
        return
    found = list_queues(endpoint, name)
    if as_json:
        print_json(found)
    elif found:
        print_table(("function", "due", "later", "in_flight", "oldest_age_s"), found)
    else:
        print_note("no events are queued")


@app.command()
def mappings(
    function: Annotated[
        str | None, typer.Argument(metavar="[FUNCTION]", help="Only this function.")
    ] = None,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Show event source mappings: state, lag or depth, rate and the last result."""
    from lambent.cli.admin_api import list_mappings

    found = [
        mapping
        for mapping in list_mappings(endpoint)
        if function in (None, mapping["function"], mapping["function"].partition(":")[0])
    ]
    if as_json:
        print_json(found)
    elif found:
        print_table(_MAPPING_COLUMNS, [_mapping_row(mapping) for mapping in found])
    else:
        print_note("no mappings yet; `aws lambda create-event-source-mapping` creates one")


@config_app.command("show")
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


@keys_app.command("create")
def create_key(
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="User of the key; created if missing.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="IAM policy document for the user.")
    ] = None,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Create an access key; its secret is shown only once. Without --user, a key of the root."""
    from lambent.cli.client import open_client
    from lambent.cli.keys import create_key as create

    with open_client("iam", endpoint) as client:
        key = create(client, user, policy)
    if as_json:
        print_json(key)
    else:
        print(f"export AWS_ACCESS_KEY_ID={key['key']}")
        print(f"export AWS_SECRET_ACCESS_KEY={key['secret']}")
        print_note("the secret is not shown again")


@keys_app.command("list")
def list_keys(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the access keys, without their secrets."""
    from lambent.cli.client import open_client
    from lambent.cli.keys import list_keys as find

    with open_client("iam", endpoint) as client:
        found = list(find(client))
    if as_json:
        print_json(found)
    elif found:
        print_table(("key", "user", "status", "created"), found)
    else:
        print_note("no keys yet; `lambent keys create` creates one")


@keys_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The access key's id.")],
    endpoint: Endpoint = LOCAL,
) -> None:
    """Delete an access key: requests signed with it are refused from now on."""
    from lambent.cli.client import open_client
    from lambent.cli.keys import revoke_key as revoke

    with open_client("iam", endpoint) as client:
        revoke(client, key)


def _addresses(
    function: dict[str, Any], endpoint: str, *, with_url: bool, with_http_api: bool
) -> dict[str, str]:
    """Where a function is reached over HTTP, as far as the user wants it."""
    from lambent.cli.apis import make_http_api, make_url
    from lambent.cli.client import open_client

    addresses: dict[str, str] = {}
    if with_url:
        with open_client("lambda", endpoint) as client:
            addresses["FunctionUrl"] = make_url(client, function)
    if with_http_api:
        with open_client("lambda", endpoint) as client, open_client("apigatewayv2", endpoint) as v2:
            addresses["ApiEndpoint"] = make_http_api(v2, client, function)
    return addresses


_COLUMNS = ("name", "runtime", "handler", "memory", "timeout", "code", "modified")


def _row(function: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": function["FunctionName"],
        "runtime": function.get("Runtime"),
        "handler": function.get("Handler"),
        "memory": f"{function['MemorySize']} MB",
        "timeout": f"{function['Timeout']} s",
        "code": f"{function['CodeSize']:,} B",
        "modified": function["LastModified"][:19].replace("T", " "),
    }


_MAPPING_COLUMNS = (
    "function",
    "source",
    "state",
    "lag",
    "waiting",
    "in_flight",
    "rate",
    "last_result",
    "uuid",
)


def _mapping_row(mapping: dict[str, Any]) -> dict[str, Any]:
    lag_s = mapping["lag_s"]
    return {
        **mapping,
        "source": mapping["source"].removeprefix("arn:aws:"),
        "lag": None if lag_s is None else f"{lag_s:.1f} s",
        "rate": f"{mapping['rate']:.1f}/s",
    }


def _print_event(event: dict[str, Any]) -> None:
    import datetime

    at = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, datetime.UTC)
    message = event["message"].rstrip("\n")
    print(f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {message}", flush=True)
