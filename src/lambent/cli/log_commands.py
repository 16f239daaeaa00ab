"""`lambent logs`: one function's log, all logs, one request's, or a query."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from lambent.cli.completion import complete_function
from lambent.cli.options import LOCAL, SWITCH, Endpoint, Json
from lambent.cli.output import UsageError, print_json, print_note, print_table


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(logs)


def logs(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Name or ARN of the function.", autocompletion=complete_function
        ),
    ] = None,
    is_all: Annotated[
        bool, typer.Option("--all", metavar=SWITCH, help="All log groups, with their names.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", metavar=SWITCH, help="Wait for more until Ctrl-C.")
    ] = False,
    since: Annotated[str, typer.Option(help="How far back: 30s, 10m, 2h, 1d.")] = "10m",
    pattern: Annotated[str, typer.Option("--filter", help="CloudWatch Logs filter pattern.")] = "",
    query: Annotated[
        str | None, typer.Option("--query", metavar="QUERY", help="CloudWatch Logs Insights query.")
    ] = None,
    request: Annotated[
        str | None,
        typer.Option("--request", metavar="ID", help="All that was logged about a request."),
    ] = None,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Print a function's log, all logs, a request's, or the result of a query."""
    from lambent.cli.logs import parse_since

    if follow and as_json:
        raise UsageError("cannot print one JSON document with --follow: leave out one of the two")
    if query is not None and (follow or pattern or request is not None):
        raise UsageError("cannot use --query with --follow, --filter or --request")
    if request is not None and (follow or pattern or name is not None):
        raise UsageError("cannot use --request with --follow, --filter or a name")
    if is_all and name is not None:
        raise UsageError(f"cannot use --all with the name {name}: leave out one of the two")
    if name is None and not is_all and query is None and request is None:
        raise UsageError("cannot print logs: name a function, or use --all")
    since_s = parse_since(since)
    if query is not None:
        _print_query(name, query, since_s, endpoint, as_json=as_json)
    elif request is not None:
        _print_request(request, since, endpoint, as_json=as_json)
    elif name is not None:
        _print_function(name, since, pattern, endpoint, is_followed=follow, as_json=as_json)
    else:
        _print_all(since, pattern, endpoint, is_followed=follow, as_json=as_json)


def _print_function(
    name: str, since: str, pattern: str, endpoint: str, *, is_followed: bool, as_json: bool
) -> None:
    from lambent.cli.client import open_client
    from lambent.cli.logs import follow_events, parse_since, read_events

    group, since_s = _group_of(name, endpoint), parse_since(since)
    with open_client("logs", endpoint) as client:
        if is_followed:
            for event in follow_events(client, group, since_s=since_s, pattern=pattern):
                _print_event(event)
            return
        events = list(read_events(client, group, since_s=since_s, pattern=pattern))
    _print_events(events, since, _print_event, as_json=as_json)


def _print_all(
    since: str, pattern: str, endpoint: str, *, is_followed: bool, as_json: bool
) -> None:
    from lambent.cli.client import open_client
    from lambent.cli.logs import group_names, parse_since, read_events

    since_s = parse_since(since)
    with open_client("logs", endpoint) as client:
        if is_followed:
            _follow_all(client, pattern, since_s)
            return
        events = [
            {**event, "logGroupName": group}
            for group in group_names(client)
            for event in read_events(client, group, since_s=since_s, pattern=pattern)
        ]
    _print_named(events, since, as_json=as_json)


def _follow_all(client: Any, pattern: str, since_s: float) -> None:
    from lambent.cli.live_tail import follow_all
    from lambent.cli.log_lines import LinePrinter, name_of
    from lambent.cli.logs import group_names

    lines = LinePrinter()
    for group in group_names(client):
        lines.expect(name_of(group))
    for group, event in follow_all(client, pattern=pattern, since_s=since_s):
        if event is None:
            print_note("some lines are left out: there are more than 500 a second")
        else:
            lines.print(name_of(group), event)


def _print_request(request_id: str, since: str, endpoint: str, *, as_json: bool) -> None:
    from lambent.cli.client import open_client
    from lambent.cli.log_queries import events_of_request
    from lambent.cli.logs import parse_since

    with open_client("logs", endpoint) as client:
        events = [
            {**event, "logGroupName": group}
            for group, event in events_of_request(client, request_id, parse_since(since))
        ]
    _print_named(events, since, as_json=as_json)


def _print_named(events: list[dict[str, Any]], since: str, *, as_json: bool) -> None:
    """Print events by time, with the names of their groups."""
    from lambent.cli.log_lines import LinePrinter, name_of

    lines = LinePrinter()
    events.sort(key=lambda event: event["timestamp"])
    for event in events:
        lines.expect(name_of(event["logGroupName"]))

    def show(event: dict[str, Any]) -> None:
        lines.print(name_of(event["logGroupName"]), event)

    _print_events(events, since, show, as_json=as_json)


def _print_query(
    name: str | None, query: str, since_s: float, endpoint: str, *, as_json: bool
) -> None:
    from lambent.cli.client import open_client
    from lambent.cli.log_queries import columns_of, run_query
    from lambent.cli.logs import group_names

    groups = [] if name is None else [_group_of(name, endpoint)]
    with open_client("logs", endpoint) as client:
        groups = groups or group_names(client)
        rows = run_query(client, groups, query, since_s) if groups else []
    if as_json:
        print_json(rows)
    elif not rows:
        print_note("the query has no results; --since goes further back")
    else:
        columns = columns_of(rows)
        print_table(columns, [{each: row.get(each, "") for each in columns} for row in rows])


def _group_of(name: str, endpoint: str) -> str:
    """The log group of a function."""
    from lambent.cli.client import open_client

    with open_client("lambda", endpoint) as client:
        found = client.get_function_configuration(FunctionName=name)
    group: str = found["LoggingConfig"]["LogGroup"]
    return group


def _print_events(
    events: Iterable[dict[str, Any]],
    since: str,
    show: Callable[[dict[str, Any]], None],
    *,
    as_json: bool,
) -> None:
    """Print events, or that there are none since then."""
    found = list(events)
    if as_json:
        print_json(found)
    elif not found and since:
        print_note(f"nothing logged in the last {since}; --since goes further back")
    for event in () if as_json else found:
        show(event)


def _print_event(event: dict[str, Any]) -> None:
    import datetime

    at = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, datetime.UTC)
    message = event["message"].rstrip("\n")
    print(f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {message}", flush=True)
