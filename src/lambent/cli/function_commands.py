"""`lambent deploy`, `invoke`, `logs`, `functions` and `delete`."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.options import (
    LOCAL,
    SWITCH,
    Endpoint,
    Json,
    Name,
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
from lambent.cli.stack_commands import (
    delete_stack,
    deploy_template,
    find_template,
    watch_sources,
    watch_template,
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (deploy, invoke, logs, functions, delete):
        app.command()(command)


def deploy(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|TEMPLATE", help="Directory with the code or a template, or a template."
        ),
    ],
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
    stack: Annotated[
        str | None, typer.Option(help="Name of the template's stack; default: the directory's.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Parameter of the template; may be repeated."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar=SWITCH, help="Deploy changes without asking.")
    ] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", metavar=SWITCH, help="Update the code whenever a file is saved."),
    ] = False,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Create or update a function from a directory, or a stack from a template.

    Flags override the directory's function.toml; missing values are guessed from the files. A
    directory with a template.yaml and no function.toml is deployed as a stack.
    """
    if not directory.exists():
        raise UsageError(f"cannot deploy {directory}: it does not exist")
    if (template := find_template(directory)) is not None:
        parameters = pairs(param, "--param") if param else {}
        is_confirmed = yes or as_json or not sys.stdin.isatty()
        deploy_template(
            template, stack, parameters, endpoint, is_confirmed=is_confirmed, as_json=as_json
        )
        if watch:
            watch_template(template, stack, endpoint)
        return
    said = {
        **{"name": name, "runtime": runtime, "handler": handler, "role": role},
        **{"memory": memory, "timeout": timeout, "description": description},
    }
    function = _deploy_function(
        directory, said, env, endpoint, with_url=url, with_http_api=http_api, as_json=as_json
    )
    if watch:
        from lambent.cli.watch import Source

        watch_sources([Source(function, directory)], endpoint)


def _deploy_function(
    directory: Path,
    said: dict[str, Any],
    env: list[str] | None,
    endpoint: str,
    *,
    with_url: bool,
    with_http_api: bool,
    as_json: bool,
) -> str:
    """Deploy a directory as a function and print it; returns its name. `said` are the members that
    flags set, None for the others. Raises `CliError`."""
    import dataclasses

    from lambent.cli.admin_api import runtime_hint
    from lambent.cli.client import open_client
    from lambent.cli.deploy import deploy as deploy_directory
    from lambent.cli.function_file import complete, likely_mistakes, read_function_file

    wanted = read_function_file(directory)
    if env:
        said["environment"] = {**(wanted.environment or {}), **pairs(env, "--env")}
    flags: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    wanted = complete(dataclasses.replace(wanted, **flags), directory)
    open_s3 = partial(open_client, "s3", endpoint)
    with open_client("lambda", endpoint) as client, progress() as show:
        found = deploy_directory(client, open_s3, directory, wanted, show)
    found.pop("ResponseMetadata", None)
    addresses = _addresses(found, endpoint, with_url=with_url, with_http_api=with_http_api)
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
    name: str = found["FunctionName"]
    return name


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


def delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the function or stack.")],
    stack: Annotated[
        bool, typer.Option("--stack", metavar=SWITCH, help="Delete a stack and what it made.")
    ] = False,
    endpoint: Endpoint = LOCAL,
) -> None:
    """Delete a function and all its versions, or a stack."""
    from lambent.cli.client import open_client

    if stack:
        delete_stack(name, endpoint)
        return

    with open_client("lambda", endpoint) as client:
        client.delete_function(FunctionName=name)


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


def _print_event(event: dict[str, Any]) -> None:
    import datetime

    at = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, datetime.UTC)
    message = event["message"].rstrip("\n")
    print(f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {message}", flush=True)
