"""`lambent deploy`: a function, a project or a template."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.function_commands import FUNCTION_COLUMNS, function_row
from lambent.cli.options import LOCAL, SWITCH, Endpoint, Json, pairs
from lambent.cli.output import UsageError, print_json, print_table, progress
from lambent.cli.stack_commands import (
    deploy_template,
    find_template,
    note_left_out,
    print_template,
    source_states,
    stack_name,
    watch_functions,
    watched_functions,
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(deploy)
    app.command()(dev)


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
    shows_template: Annotated[
        bool,
        typer.Option(
            "--print-template", metavar=SWITCH, help="Print the template, and deploy nothing."
        ),
    ] = False,
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
    """Create or update a function from a directory, or a stack from a template or a project.

    Flags override the directory's function.toml; missing values are guessed from the files. A
    function.toml with [functions.NAME] is a project. A directory with a template.yaml and no
    function.toml is deployed as a stack.
    """
    template = _find(directory)
    said = {
        **{"name": name, "runtime": runtime, "handler": handler, "role": role},
        **{"memory": memory, "timeout": timeout, "description": description},
    }
    if template is None:
        if shows_template:
            raise UsageError(f"{directory} is one function, which is deployed without a template")
        function = _deploy_function(
            directory, said, env, endpoint, with_url=url, with_http_api=http_api, as_json=as_json
        )
        if watch:
            watch_functions([function], endpoint)
        return
    given = [flag for flag, value in {**said, "env": env}.items() if value is not None]
    if given or url or http_api:
        flag = (given or ["url" if url else "http-api"])[0]
        raise UsageError(f"cannot use --{flag} with {template}: write it into that file")
    if shows_template:
        print_template(template)
        return
    is_confirmed = yes or as_json or not sys.stdin.isatty()
    parameters = pairs(param, "--param")
    known = source_states(template) if watch else {}
    deploy_template(
        template, stack, parameters, endpoint, is_confirmed=is_confirmed, as_json=as_json
    )
    if watch:
        named = stack_name(template, stack)
        watch_functions(watched_functions(named, known, endpoint), endpoint)


def dev(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR|TEMPLATE", help="What `lambent deploy` takes.")
    ] = Path(),
    stack: Annotated[
        str | None, typer.Option(help="Name of the stack; default: as for deploy.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Parameter of the template; may be repeated."),
    ] = None,
    endpoint: Endpoint = LOCAL,
) -> None:
    """Deploy, update the code whenever a file is saved, and print the logs, until Ctrl-C."""
    from lambent.cli.development import Deployed, deploy_stack, develop
    from lambent.cli.function_file import FUNCTION_FILE

    template = _find(directory)
    if template is not None:
        deploy_again = partial(deploy_stack, template, stack, pairs(param, "--param"), endpoint)
        develop(deploy_again, template, endpoint)
        return

    def deploy_function() -> Deployed:
        flags = {"with_url": False, "with_http_api": False, "as_json": False}
        function = _deploy_function(directory, {}, None, endpoint, **flags)
        return Deployed([function.function], [function], f"lambent delete {function.function}")

    file = directory if directory.is_file() else directory / FUNCTION_FILE
    develop(deploy_function, file, endpoint)


def _find(directory: Path) -> Path | None:
    """The template or project of an argument; None if it is one function."""
    if not directory.exists():
        raise UsageError(f"cannot deploy {directory}: it does not exist")
    return find_template(directory)


def _deploy_function(
    directory: Path,
    said: dict[str, Any],
    env: list[str] | None,
    endpoint: str,
    *,
    with_url: bool,
    with_http_api: bool,
    as_json: bool,
) -> Any:
    """Deploy a directory as a function and print it; returns it as `Watched`. `said` are the
    members that flags set, None for the others. Raises `CliError`."""
    import dataclasses

    from lambent.cli.admin_api import refuse_missing_runtimes
    from lambent.cli.bucket import open_bucket
    from lambent.cli.client import open_client
    from lambent.cli.deploy import deploy as deploy_directory
    from lambent.cli.deploy import source_of
    from lambent.cli.function_file import complete, read_function_file
    from lambent.cli.package import state_of
    from lambent.cli.watch import Watched

    if directory.is_file():
        directory = directory.parent  # Its function.toml was named.
    wanted = read_function_file(directory)
    if env:
        said["environment"] = {**(wanted.environment or {}), **pairs(env, "--env")}
    flags: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    wanted = complete(dataclasses.replace(wanted, **flags), directory)
    refuse_missing_runtimes(endpoint, [wanted.runtime or ""])
    state = state_of(directory)
    with open_client("lambda", endpoint) as client, progress() as show:
        found = deploy_directory(client, partial(open_bucket, endpoint), directory, wanted, show)
    found.pop("ResponseMetadata", None)
    addresses = _addresses(found, endpoint, with_url=with_url, with_http_api=with_http_api)
    if as_json:
        print_json({**found, **addresses})
    else:
        row = {**function_row(found), "state": found["State"]}
        print_table((*FUNCTION_COLUMNS, "state"), [row])
        for address in addresses.values():
            print(address)
    note_left_out([directory])
    return Watched(found["FunctionName"], source_of(directory, wanted), state)


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
