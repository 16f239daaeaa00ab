"""`lambent top` and `metrics`: what functions are doing, and did."""

from typing import Annotated, Any

import typer

from lambent.cli.completion import complete_function
from lambent.cli.options import LOCAL, SWITCH, Endpoint, Json
from lambent.cli.output import print_json, print_note, print_table

_COLUMNS = (
    *("function", "calls/s", "errors", "throttles", "p50", "p99", "concurrency"),
    *("environments", "memory"),
)
_EVERY_S = 2.0


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (top, metrics):
        app.command()(command)


def top(
    once: Annotated[
        bool, typer.Option("--once", metavar=SWITCH, help="Print one table and end.")
    ] = False,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Show what functions are doing: calls, errors, durations, environments, memory."""
    from lambent.cli.metric_views import top_rows

    if as_json:
        print_json(top_rows(endpoint))
        return
    if once:
        rows = top_rows(endpoint)
        if rows:
            print_table(_COLUMNS, [_shown(row) for row in rows])
        else:
            print_note("no function was called in the last minutes, and none has an environment")
        return
    _follow(endpoint)


def _follow(endpoint: str) -> None:
    """Redraw the table until Ctrl-C."""
    import time

    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    from lambent.cli.metric_views import top_rows

    def table() -> Table:
        made = Table(*_COLUMNS, box=None)
        height = max(Console().height - 2, 1)
        for row in top_rows(endpoint)[:height]:
            shown = _shown(row)
            made.add_row(*("" if shown[name] is None else str(shown[name]) for name in _COLUMNS))
        return made

    try:
        with Live(table(), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(_EVERY_S)  # noqa: TID251 - another process is looked at
                live.update(table(), refresh=True)
    except KeyboardInterrupt:
        pass


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    memory = row["memory_bytes"]
    environments = row["environments"]
    return {
        "function": row["function"],
        "calls/s": f"{row['calls_per_s']:.2f}",
        "errors": row["errors"],
        "throttles": row["throttles"],
        "p50": _duration(row["p50_ms"]),
        "p99": _duration(row["p99_ms"]),
        "concurrency": row["concurrency"],
        "environments": f"{row['busy']}/{environments}" if environments else "",
        "memory": "" if memory is None else f"{memory / (1 << 20):.0f} MB",
    }


def _duration(ms: float | None) -> str:
    if ms is None:
        return ""
    return f"{ms:.1f} ms" if ms < 1000 else f"{ms / 1000:.2f} s"


def metrics(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of the function.", autocompletion=complete_function
        ),
    ],
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="1h, 24h or 14d.")] = "1h",
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """Show a function's metrics over an hour, a day or two weeks."""
    from lambent.cli.metric_views import function_metrics, sparkline

    found = function_metrics(endpoint, name, since)
    if as_json:
        print_json(found)
        return
    rows = [
        {
            "metric": metric["label"],
            "total": metric["total"],
            "last": metric["values"][-1] if metric["values"] else None,
            "unit": metric["unit"],
            f"last {since}": sparkline(metric["slots"]),
        }
        for metric in found["metrics"]
    ]
    print_table(("metric", "total", "last", "unit", f"last {since}"), rows)
