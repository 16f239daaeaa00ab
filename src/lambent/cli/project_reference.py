"""Prints docs/reference/project-file.md: every key of a project's `function.toml`.

The docstrings below the fields are read from the source; a test fails when the page differs.
"""

import dataclasses
import inspect
import typing
from typing import Any

from lambent.cli.function_file import FunctionFile
from lambent.cli.project_file import (
    Bucket,
    Defaults,
    Layer,
    Project,
    ProjectFunction,
    Queue,
    Route,
    Rule,
    Schedule,
    Topic,
)
from lambent.cli.settings_reference import field_docstrings
from lambent.cli.tables import is_required, type_name

_INTRODUCTION = """\
# function.toml

Written by `make docs` from the code; do not edit.

A `function.toml` with `[functions.NAME]` is a project, which `lambent deploy` makes a stack.
Without, it is one function; then it has the keys of the first table. An unknown key is an error.
[Developing](../developing.md) has examples.

Where a table is expected, a text stands for its first key: `queue = "jobs"` is
`queue = { name = "jobs" }`. Where a list is expected, one item stands for a list of one.
"""
_TABLES: tuple[tuple[str, type[Any]], ...] = (
    ("One function", FunctionFile),
    ("A project", Project),
    ("`[functions.NAME]`", ProjectFunction),
    ("`[defaults]`", Defaults),
    ("`[layers.NAME]`", Layer),
    ("`http`", Route),
    ("`schedule`", Schedule),
    ("`queue`", Queue),
    ("`bucket`", Bucket),
    ("`topic`", Topic),
    ("`rule`", Rule),
)
_NOTES = """
## What becomes of it

`lambent deploy --print-template` prints the template. A function `resize` of the project `shop` is
called `shop-resize`, unless it has a `name`. In the template it is `Resize`; a queue `jobs` is
`JobsQueue`, a bucket `pictures` is `PicturesBucket`, a topic `news` is `NewsTopic`, a layer `deps`
is `DepsLayer`. Values of `environment` may use these: `"${JobsQueue}"` is the URL of the queue, as
in `Fn::Sub`. A function cannot refer to a bucket that calls it: write the bucket's name instead.

`policies` are those of SAM: `"AmazonSQSFullAccess"`,
`{ SQSSendMessagePolicy = { QueueName = "jobs" } }`, or a statement such as
`{ Effect = "Allow", Action = "s3:GetObject", Resource = "*" }`.

`lambent deploy --watch` and `lambent dev` update `$LATEST`: an `alias` leads to the code of the
last deployment.
"""


def render() -> str:
    """The page."""
    parts = [_INTRODUCTION]
    for title, table in _TABLES:
        parts.append(
            f"\n## {title}\n\n{inspect.getdoc(table)}\n\n| key | value | |\n|---|---|---|\n"
        )
        hints = typing.get_type_hints(table)
        known = {**field_docstrings(FunctionFile), **field_docstrings(table)}
        for field in dataclasses.fields(table):
            meaning = " ".join(known[field.name].split())
            required = ", required" if is_required(field) else ""
            parts.append(
                f"| `{field.name}` | {type_name(hints[field.name])}{required} | {meaning} |\n"
            )
    return "".join([*parts, _NOTES])


if __name__ == "__main__":
    print(render(), end="")
