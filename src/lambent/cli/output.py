"""Output of the command line: results on stdout, everything else on stderr, colour on terminals."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class CliError(Exception):
    """Ends a command with one red line: its message, which says what to do."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(CliError):
    """The command is wrong, whatever the platform's state."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=2)


def console(*, is_error: bool = False) -> "Console":
    """A console that neither guesses at markup nor colours numbers."""
    from rich.console import Console

    return Console(stderr=is_error, highlight=False, markup=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, indent=2, default=str))


def print_error(message: str) -> None:
    """One red line on stderr."""
    console(is_error=True).print(message, style="red")


def print_note(message: str) -> None:
    """A dim line on stderr, for people only."""
    console(is_error=True).print(message, style="dim")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows the current step and clears it at the end. Silent without a terminal."""
    errors = console(is_error=True)
    if not errors.is_terminal:
        yield lambda _: None
        return
    with errors.status("") as status:
        yield lambda step: status.update(f"{step} …")


def print_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as a table, columns named as the keys; plain, so that it can be copied and cut."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(Text, row[column]) for column in columns))
    out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 500)
    if out.is_terminal:
        out.print(table)
        return
    # Whole lines for grep: wide enough for every cell, and no blanks at the end.
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _cell(text: Any, value: Any) -> Any:
    styles = {"Active": "green", "Failed": "red", "ok": "green", "missing": "yellow"}
    shown = "" if value is None else str(value)
    return text(shown, style=styles.get(shown, ""))
