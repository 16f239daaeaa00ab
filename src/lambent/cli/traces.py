"""`lambent trace`: a trace through X-Ray's API, as a tree."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lambent.cli.output import CliError

if TYPE_CHECKING:
    from rich.text import Text

_Part = Mapping[str, Any]
_NAME_WIDTH = 48


class Row(NamedTuple):
    """A line of the tree. Milliseconds count from the beginning of the trace."""

    indent: str
    name: str
    detail: str
    start_ms: float
    duration_ms: float | None
    """None while it is in progress."""
    failure: str
    """`fault`, `throttle`, `error`, or empty."""
    message: str
    """Of the exception, if there is one."""


def find_last(client: Any, *, since_s: float, expression: str) -> str:
    """The ID of the latest trace that a filter accepts. Raises `CliError` if there is none."""
    now = datetime.datetime.now(datetime.UTC)
    token: dict[str, str] = {}
    while True:
        page = client.get_trace_summaries(
            StartTime=now - datetime.timedelta(seconds=since_s),
            EndTime=now + datetime.timedelta(seconds=60),
            FilterExpression=expression,
            **token,
        )
        if page["TraceSummaries"]:
            latest = max(page["TraceSummaries"], key=lambda each: each["StartTime"])
            return str(latest["Id"])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    raise CliError(
        "there is no such trace. Calls are traced if the function's TracingConfig is Active, and"
        " one a second and 5 % of the others are sampled"
    )


def read_segments(client: Any, trace_id: str) -> list[dict[str, Any]]:
    """The segment documents of a trace. Raises `CliError` if there is no such trace."""
    found = client.batch_get_traces(TraceIds=[trace_id])["Traces"]
    if not found:
        raise CliError(f"there is no trace {trace_id}; `lambent trace --last` shows the latest")
    return [json.loads(each["Document"]) for each in found[0]["Segments"]]


def rows_of(trace_id: str, segments: Sequence[_Part]) -> Iterator[Row]:
    """The lines of the tree: first the trace, then its parts in the order of time."""
    parts = [part for segment in segments for part in _all_of(segment)]
    began = min(part["start_time"] for part in parts)
    ended = max(part.get("end_time", part["start_time"]) for part in parts)
    at = datetime.datetime.fromtimestamp(began, datetime.UTC).isoformat(" ", "milliseconds")
    yield Row("", trace_id, at, 0.0, (ended - began) * 1000, "", "")
    children: dict[str, list[_Part]] = {}
    known = {part["id"] for part in parts}
    roots: list[_Part] = []
    for segment in segments:
        parent = str(segment.get("parent_id"))
        (children.setdefault(parent, []) if parent in known else roots).append(segment)
    shown: set[str] = set()
    yield from _rows(roots, children, began, "", shown)
    # Segments that are their own ancestors.
    yield from _rows([each for each in segments if each["id"] not in shown], {}, began, "", shown)


def _rows(
    parts: Sequence[_Part],
    children: Mapping[str, Sequence[_Part]],
    began: float,
    prefix: str,
    shown: set[str],
) -> Iterator[Row]:
    ordered = sorted(parts, key=lambda part: part["start_time"])
    for number, part in enumerate(ordered, 1):
        if part["id"] in shown:
            continue  # Segments that name each other as parents.
        shown.add(part["id"])
        is_last = number == len(ordered)
        yield _row(part, began, f"{prefix}{'└─' if is_last else '├─'} ")
        inner = [*part.get("subsegments", ()), *children.get(part["id"], ())]
        yield from _rows(inner, children, began, f"{prefix}{'   ' if is_last else '│  '}", shown)


def _row(part: _Part, began: float, indent: str) -> Row:
    status = _object(_object(part.get("http")).get("response")).get("status")
    origin = part.get("origin") or part.get("namespace") or ""
    exceptions = _object(part.get("cause")).get("exceptions")
    first = _object(exceptions[0]) if isinstance(exceptions, list) and exceptions else {}
    message = ": ".join(str(first[name]) for name in ("type", "message") if first.get(name))
    failure = next((name for name in ("fault", "throttle", "error") if part.get(name)), "")
    ended = part.get("end_time")
    return Row(
        indent,
        part["name"],
        " ".join(str(each) for each in (origin, status) if each),
        (part["start_time"] - began) * 1000,
        None if ended is None else (ended - part["start_time"]) * 1000,
        failure,
        message,
    )


def _object(value: Any) -> Mapping[str, Any]:
    """Documents of functions have anything anywhere."""
    return value if isinstance(value, dict) else {}


def styled(row: Row) -> "Text":
    """A line with colors, for a terminal."""
    from rich.text import Text

    line = Text(row.indent, style="dim")
    line.append(_printable(row.name), style="bold red" if row.failure else "bold")
    if row.detail:
        line.append(f"  {_printable(row.detail)}", style="dim")
    line.append(" " * max(2, _NAME_WIDTH + 12 - len(line)))
    duration = "…" if row.duration_ms is None else f"{row.duration_ms:.1f} ms"
    line.append(f"+{row.start_ms:.1f} ms".rjust(12), style="dim")
    line.append(duration.rjust(13), style="cyan")
    if row.failure:
        line.append(f"  {row.failure}", style="red")
    if row.message:
        line.append(f"  {_printable(row.message)}", style="red")
    return line


def _printable(text: str) -> str:
    """Without what would move the cursor: names come from functions."""
    return "".join(each if each.isprintable() else " " for each in text[:200])


def _all_of(segment: _Part) -> Iterator[_Part]:
    stack = [segment]
    while stack:
        part = stack.pop()
        yield part
        stack.extend(part.get("subsegments", ()))
