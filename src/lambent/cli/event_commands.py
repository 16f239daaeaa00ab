"""`lambent events`: sample events, as AWS's services send them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.output import UsageError, print_json

_DIRECTORY = Path(__file__).with_name("sample_events")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    events = typer.Typer(help="Sample events, as AWS's services send them.", no_args_is_help=True)
    events.command("list")(list_events)
    events.command("generate")(generate)
    app.add_typer(events, name="events")


def list_events() -> None:
    """List the kinds of events."""
    for name in names():
        print(name)


def generate(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="As `lambent events list` says.")],
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Replace a value, such as Records.0.body=hello. What is text stays text; other"
            " values are JSON. May be repeated.",
        ),
    ] = None,
) -> None:
    """Print a sample event: lambent events generate sqs | lambent invoke NAME --data -"""
    event = sample(kind)
    for text in change or ():
        path, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"cannot use --set {text}: it has the form PATH=VALUE")
        replace(event, path, value)
    print_json(event)


def names() -> Iterator[str]:
    """The kinds of events."""
    return iter(sorted(file.stem for file in _DIRECTORY.glob("*.json")))


def sample(kind: str) -> Any:
    """The event of a kind. Raises `UsageError` for an unknown one."""
    if kind not in names():
        raise UsageError(f"no kind of event is called {kind}; there are {', '.join(names())}")
    return json.loads((_DIRECTORY / f"{kind}.json").read_text(encoding="utf-8"))


def replace(event: Any, path: str, text: str) -> None:
    """Replace or add the value at a path of names and numbers, separated by dots. Raises
    `UsageError` if the path leads nowhere."""
    *parents, last = path.split(".")
    try:
        for part in parents:
            event = event[int(part) if isinstance(event, list) else part]
        if isinstance(event, list):
            event[int(last)] = _value(event[int(last)], text)
        else:
            event[last] = _value(event.get(last), text)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"the event has nothing at {path}") from error


def _value(known: Any, text: str) -> Any:
    """The value that a text stands for, in the place of a known one."""
    if isinstance(known, str):
        return text
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return text
