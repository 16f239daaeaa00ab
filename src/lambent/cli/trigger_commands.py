"""`lambent queue` and `mappings`: what calls functions without a client that waits."""

from typing import Annotated, Any

import typer

from lambent.cli.options import LOCAL, SWITCH, Endpoint, Json
from lambent.cli.output import UsageError, print_json, print_note, print_table


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (queue, mappings):
        app.command()(command)


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
