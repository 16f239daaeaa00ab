"""`lambent stacks`, and templates for `lambent deploy` and `lambent delete`."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from lambent.cli.options import LOCAL, Endpoint, Json
from lambent.cli.output import (
    UsageError,
    print_json,
    print_note,
    print_table,
    progress,
)

_TEMPLATES = ("template.yaml", "template.yml", "template.json")
_BUILT = Path(".aws-sam", "build", "template.yaml")
_CHANGES = ("action", "resource", "type", "replacement")
_STACKS = ("stack", "status", "changed", "reason")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(stacks)


def stacks(endpoint: Endpoint = LOCAL, as_json: Json = False) -> None:
    """List the stacks."""
    from lambent.cli.client import open_client

    with open_client("cloudformation", endpoint) as client:
        pages = client.get_paginator("describe_stacks").paginate()
        found = [stack for page in pages for stack in page["Stacks"]]
    if as_json:
        print_json(found)
    elif found:
        print_table(_STACKS, [_row(stack) for stack in found])
    else:
        print_note("no stacks yet; `lambent deploy template.yaml` creates one")


def find_template(target: Path) -> Path | None:
    """The template that a file or a directory stands for; None if a directory has none, or says in
    a function.toml that it is a function. What `sam build` made wins if it is newer."""
    if target.is_file():
        return target
    if (target / "function.toml").exists():
        return None
    found = next((target / name for name in _TEMPLATES if (target / name).is_file()), None)
    built = target / _BUILT
    if found is not None and built.is_file() and built.stat().st_mtime >= found.stat().st_mtime:
        return built
    return found


def deploy_template(
    template: Path,
    name: str | None,
    parameters: dict[str, str],
    endpoint: str,
    *,
    is_confirmed: bool,
    as_json: bool,
) -> None:
    """Deploy a template as a stack. Raises `CliError`."""
    from lambent.cli.client import open_client
    from lambent.cli.local_files import send_local_files
    from lambent.cli.stacks import Bucket, Stack, change_rows, template_argument

    stack_name = name or _name_of(template)
    with (
        open_client("cloudformation", endpoint) as client,
        open_client("s3", endpoint) as s3,
        open_client("sts", endpoint) as sts,
    ):
        bucket, stack = Bucket(s3, sts), Stack(client, stack_name)
        with progress() as show:
            text = send_local_files(template, bucket.upload, show)
            show(f"comparing {stack_name} with the template")
            proposed = stack.propose(template_argument(text, bucket.upload), parameters)
        if proposed is None:
            print_note(f"{stack_name} has no changes")
            found: Any = stack.find()
        else:
            if not as_json:
                print_table(_CHANGES, change_rows(proposed))
            if not is_confirmed:
                typer.confirm("Deploy these changes?", abort=True, default=True)
            found = stack.execute(proposed, _ignore if as_json else _show_event)
    if as_json:
        print_json(found)
    else:
        _print_outputs(found.get("Outputs") or ())


def watch_template(template: Path, name: str | None, endpoint: str) -> None:
    """Update the functions of a stack whenever their files are saved, until Ctrl-C."""
    from lambent.cli.client import open_client
    from lambent.cli.local_files import sources
    from lambent.cli.watch import Source

    with open_client("cloudformation", endpoint) as client:
        pages = client.get_paginator("list_stack_resources")
        names = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages.paginate(StackName=name or _name_of(template))
            for resource in page["StackResourceSummaries"]
        }
    watched = [
        Source(names[file.logical_id], file.path, file.logical_id, file.runtime, file.metadata)
        for file in sources(template)
        if file.logical_id in names
    ]
    if not watched:
        raise UsageError(f"{template} names no source directory of a function")
    watch_sources(watched, endpoint)


def watch_sources(watched: Sequence[Any], endpoint: str) -> None:
    """Update functions whenever their files are saved, until Ctrl-C."""
    from functools import partial

    from lambent.cli.client import open_client
    from lambent.cli.watch import watch

    with open_client("lambda", endpoint) as client, contextlib.suppress(KeyboardInterrupt):
        watch(client, partial(open_client, "s3", endpoint), watched, print_note)


def delete_stack(name: str, endpoint: str) -> None:
    """Delete a stack and what it made. Raises `CliError`."""
    from lambent.cli.client import open_client
    from lambent.cli.stacks import Stack

    with open_client("cloudformation", endpoint) as client:
        Stack(client, name).delete(_show_event)


def _name_of(template: Path) -> str:
    """The name of the directory, with the characters that names of stacks have."""
    directory = template.resolve().parent
    if directory.parts[-2:] == _BUILT.parts[:2]:
        directory = directory.parent.parent
    letters = "".join(letter if letter.isalnum() else "-" for letter in directory.name).strip("-")
    if not letters or not letters[0].isalpha() or not letters.isascii():
        raise UsageError(f"cannot name a stack after {directory}: use --stack NAME")
    return letters


def _show_event(event: dict[str, Any]) -> None:
    reason = event.get("ResourceStatusReason", "")
    print_note(
        f"{event['Timestamp']:%H:%M:%S} {event['ResourceStatus']:<22}"
        f" {event['LogicalResourceId']} {event['ResourceType']} {reason}".rstrip()
    )


def _ignore(_: dict[str, Any]) -> None:
    pass


def _print_outputs(outputs: Sequence[dict[str, Any]]) -> None:
    if outputs:
        rows = [
            {"output": output["OutputKey"], "value": output["OutputValue"]} for output in outputs
        ]
        print_table(("output", "value"), rows)


def _row(stack: dict[str, Any]) -> dict[str, Any]:
    changed = stack.get("LastUpdatedTime") or stack["CreationTime"]
    return {
        "stack": stack["StackName"],
        "status": stack["StackStatus"],
        "changed": f"{changed:%Y-%m-%d %H:%M:%S}",
        "reason": stack.get("StackStatusReason", ""),
    }
