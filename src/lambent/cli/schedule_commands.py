"""Commands on schedules: schedule, schedules."""

from typing import Annotated

import typer

from lambent.cli.options import LOCAL, SWITCH, Endpoint, Json, Name
from lambent.cli.output import UsageError, print_json, print_note, print_table

_COLUMNS = ("name", "kind", "schedule", "timezone", "state", "target")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (schedule, schedules):
        app.command()(command)


def schedule(
    name: Name,
    expression: Annotated[
        str | None,
        typer.Argument(
            metavar="[EXPRESSION]", help='Such as "rate(5 minutes)" or "cron(0 9 ? * MON-FRI *)".'
        ),
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Time zone of cron and at.")
    ] = "UTC",
    event: Annotated[
        str | None, typer.Option("--event", metavar="JSON", help="What the function gets.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="ARN", help="Instead of the function's execution role."),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", metavar=SWITCH, help="End the schedule.")
    ] = False,
    endpoint: Endpoint = LOCAL,
) -> None:
    """Call a function on a schedule, or change its schedule."""
    from lambent.cli.schedules import end, put

    if delete:
        if expression is not None:
            raise UsageError("--delete takes no schedule expression")
        print_json(end(endpoint, name))
        return
    if expression is None:
        raise UsageError(
            f'say when to call it: lambent schedule {name} "rate(5 minutes)", or --delete'
        )
    print_json(put(endpoint, name, expression, timezone=timezone, event=event, role=role))


def schedules(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List schedules, and rules that have one."""
    from lambent.cli.schedules import find_all

    found = find_all(endpoint)
    if as_json:
        print_json(found)
    elif found:
        print_table(_COLUMNS, found)
    else:
        print_note('no schedules yet; `lambent schedule NAME "rate(5 minutes)"` creates one')
