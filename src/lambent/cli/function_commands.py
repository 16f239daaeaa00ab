"""`lambent invoke`, `functions` and `delete`."""

import sys
from typing import Annotated, Any

import typer

from lambent.cli.completion import complete_deletable
from lambent.cli.options import (
    LOCAL,
    SWITCH,
    Endpoint,
    Json,
    Name,
)
from lambent.cli.output import (
    UsageError,
    print_error,
    print_json,
    print_note,
    print_table,
)
from lambent.cli.stack_commands import delete_stack


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (invoke, functions, delete):
        app.command()(command)


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
    debug: Annotated[
        bool,
        typer.Option("--debug", metavar=SWITCH, help="Wait for a debugger: Python and Node.js."),
    ] = False,
    debug_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Port for the debugger; default: 5678 or 9229."),
    ] = None,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Invoke a function and print its response."""
    from lambent.cli.client import open_client
    from lambent.cli.debugging import debug as debug_function
    from lambent.cli.invoke import describe_failure, read_event
    from lambent.cli.invoke import invoke as invoke_function

    event = read_event(data)
    if debug:
        if tail:
            raise UsageError("cannot use --tail with --debug: `lambent logs` shows the log")
        answer = debug_function(
            endpoint, name, event, qualifier=qualifier, port=debug_port, show=print_note
        )
    else:
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


def functions(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the functions."""
    from lambent.cli.client import open_client

    with open_client("lambda", endpoint) as client:
        pages = client.get_paginator("list_functions").paginate()
        found = [function for page in pages for function in page["Functions"]]
    if as_json:
        print_json(found)
    elif found:
        print_table(FUNCTION_COLUMNS, [function_row(function) for function in found])
    else:
        print_note("no functions yet; `lambent deploy DIR` creates one")


def delete(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of the function or stack.",
            autocompletion=complete_deletable,
        ),
    ],
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


FUNCTION_COLUMNS = ("name", "runtime", "handler", "memory", "timeout", "code", "modified")


def function_row(function: dict[str, Any]) -> dict[str, Any]:
    """A function as a row of a table."""
    return {
        "name": function["FunctionName"],
        "runtime": function.get("Runtime"),
        "handler": function.get("Handler"),
        "memory": f"{function['MemorySize']} MB",
        "timeout": f"{function['Timeout']} s",
        "code": f"{function['CodeSize']:,} B",
        "modified": function["LastModified"][:19].replace("T", " "),
    }
