"""The commands of `lambent`.

This module must stay quick to import: what a command needs is imported inside it. Each command
reads its arguments, calls one module and prints; `--json` prints one JSON document on stdout and
nothing else. Exit codes: 0 success, 1 the function or the platform failed, 2 wrong usage.
"""

from typing import Annotated

import typer

from lambent.cli import (
    api_commands,
    deploy_commands,
    event_commands,
    function_commands,
    hook_commands,
    init_commands,
    key_commands,
    log_commands,
    metric_commands,
    node_commands,
    schedule_commands,
    server_commands,
    stack_commands,
    trace_commands,
    trigger_commands,
    upkeep_commands,
)
from lambent.cli.options import SWITCH
from lambent.cli.output import CliError, print_error
from lambent.upkeep import UpkeepError

app = typer.Typer(
    help="AWS Lambda on machines you own. `lambent up` starts the platform; the other commands,"
    " and every AWS client, talk to it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (
    server_commands,
    deploy_commands,
    function_commands,
    log_commands,
    init_commands,
    trigger_commands,
    event_commands,
    api_commands,
    stack_commands,
    trace_commands,
    key_commands,
    metric_commands,
    schedule_commands,
    hook_commands,
    node_commands,
    upkeep_commands,
):
    commands.add_to(app)


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
