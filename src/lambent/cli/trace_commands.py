"""Commands on traces: trace."""

from typing import Annotated

import typer

from lambent.cli.options import LOCAL, SWITCH, Endpoint, Json
from lambent.cli.output import UsageError, console, print_json


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(trace)


def trace(
    trace_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Such as 1-5759e988-bd862e3fe1be46a994272793."),
    ] = None,
    last: Annotated[bool, typer.Option("--last", metavar=SWITCH, help="The latest trace.")] = False,
    expression: Annotated[
        str, typer.Option("--filter", help="With --last: an X-Ray filter expression.")
    ] = "",
    since: Annotated[str, typer.Option(help="With --last: how far back.")] = "1h",
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Print a trace as a tree of its segments, with their times."""
    from lambent.cli.client import open_client
    from lambent.cli.logs import parse_since
    from lambent.cli.traces import find_last, read_segments, rows_of, styled

    if last == (trace_id is not None):
        raise UsageError("name a trace by its ID, or use --last")
    since_s = parse_since(since)
    with open_client("xray", endpoint) as client:
        wanted = trace_id or find_last(client, since_s=since_s, expression=expression)
        segments = read_segments(client, wanted)
    if as_json:
        print_json({"Id": wanted, "Segments": segments})
        return
    output = console()
    for row in rows_of(wanted, segments):
        output.print(styled(row))
