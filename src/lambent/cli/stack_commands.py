"""`lambent stacks`, and templates for `lambent deploy` and `lambent delete`."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.completion import complete_stack
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


def stacks(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Show one stack and its addresses.",
            autocompletion=complete_stack,
        ),
    ] = None,
    endpoint: Endpoint = LOCAL,
    as_json: Json = False,
) -> None:
    """List the stacks, or show one with its outputs and the addresses that work here."""
    from lambent.cli.client import open_client

    if name is not None:
        _show_stack(name, endpoint, as_json=as_json)
        return
    with open_client("cloudformation", endpoint) as client:
        pages = client.get_paginator("describe_stacks").paginate()
        found = [stack for page in pages for stack in page["Stacks"]]
    if as_json:
        print_json(found)
    elif found:
        print_table(_STACKS, [_row(stack) for stack in found])
    else:
        print_note("no stacks yet; `lambent deploy template.yaml` creates one")


def _show_stack(name: str, endpoint: str, *, as_json: bool) -> None:
    from lambent.cli.addresses import stack_addresses
    from lambent.cli.client import open_client
    from lambent.cli.stacks import Stack

    with open_client("cloudformation", endpoint) as client:
        stack = Stack(client, name)
        found = stack.existing()
        resources = stack.resources()
    addresses = [
        {"resource": resource, "address": address}
        for resource, address in stack_addresses(resources, endpoint)
    ]
    if as_json:
        print_json({**found, "Resources": resources, "Addresses": addresses})
        return
    print_table(_STACKS, [_row(found)])
    print_outputs(found.get("Outputs") or ())
    print_addresses(addresses)


def print_addresses(addresses: Sequence[dict[str, Any]]) -> None:
    """Resources and their addresses, as a table."""
    if addresses:
        print_table(("resource", "address"), addresses)


def print_template(template: Path) -> None:
    """Print a template, or the one that a project stands for, as YAML."""
    import yaml

    from lambent.cli.local_files import read_document

    print(yaml.safe_dump(read_document(template), sort_keys=False), end="")


def find_template(target: Path) -> Path | None:
    """The template that a file or a directory stands for, or the function.toml of a project; None
    if it is one function. What `sam build` made wins if it is newer."""
    from lambent.cli.function_file import FUNCTION_FILE
    from lambent.cli.project_file import is_project

    if target.name == FUNCTION_FILE:
        target = target.parent
    if target.is_file():
        return target
    if is_project(target):
        return target / FUNCTION_FILE
    if (target / FUNCTION_FILE).exists():
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
    from lambent.cli.admin_api import refuse_missing_runtimes
    from lambent.cli.bucket import open_bucket
    from lambent.cli.client import open_client
    from lambent.cli.local_files import send_local_files, sources
    from lambent.cli.stacks import Stack, change_rows, template_argument

    named = stack_name(template, name)
    refuse_missing_runtimes(endpoint, {source.runtime for source in sources(template)})
    with open_client("cloudformation", endpoint) as client, open_bucket(endpoint) as bucket:
        stack = Stack(client, named)
        with progress() as show:
            text = send_local_files(template, bucket.upload, show)
            show(f"comparing {named} with the template")
            proposed = stack.propose(template_argument(text, bucket.upload), parameters)
        if proposed is None:
            print_note(f"{named} has no changes")
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
        print_outputs(found.get("Outputs") or ())
    note_left_out(source.directory for source in sources(template))


def source_states(template: Path) -> dict[str, tuple[Any, Any]]:
    """The functions whose code is a directory: `Source` and `State` by logical id."""
    from lambent.cli.local_files import sources
    from lambent.cli.package import state_of

    return {source.logical_id: (source, state_of(source.directory)) for source in sources(template)}


def watched_functions(name: str, known: Mapping[str, tuple[Any, Any]], endpoint: str) -> list[Any]:
    """The functions of a stack that have a source directory, as `Watched`. `known` is what
    `source_states` returned before the deployment."""
    from lambent.cli.client import open_client
    from lambent.cli.stacks import Stack
    from lambent.cli.watch import Watched

    with open_client("cloudformation", endpoint) as client:
        resources = Stack(client, name).resources()
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    return [
        Watched(names[logical_id], source, state)
        for logical_id, (source, state) in known.items()
        if logical_id in names
    ]


def watch_functions(watched: Sequence[Any], endpoint: str) -> None:
    """Update functions whenever their files are saved, until Ctrl-C."""
    from functools import partial

    from lambent.cli.bucket import open_bucket
    from lambent.cli.client import open_client
    from lambent.cli.watch import watch

    if not watched:
        raise UsageError("nothing to watch: the template names no source directory of a function")
    with open_client("lambda", endpoint) as client, contextlib.suppress(KeyboardInterrupt):
        watch(client, partial(open_bucket, endpoint), watched, print_note)


def delete_stack(name: str, endpoint: str) -> None:
    """Delete a stack and what it made. Raises `CliError`."""
    from lambent.cli.client import open_client
    from lambent.cli.stacks import Stack

    with open_client("cloudformation", endpoint) as client:
        Stack(client, name).delete(_show_event)


def note_left_out(directories: Iterable[Path]) -> None:
    """Name the files that were not packed because they may hold secrets."""
    from lambent.cli.package import IGNORE_FILE, left_out

    for directory in sorted(set(directories)):
        for name in left_out(directory):
            print_note(
                f"left out {directory / name}, which may hold secrets; `!{Path(name).name}` in"
                f" {IGNORE_FILE} packs it"
            )


def stack_name(template: Path, name: str | None) -> str:
    """The name of a template's stack: as the user says, as the project says, else the
    directory's."""
    from lambent.cli.function_file import FUNCTION_FILE
    from lambent.cli.project_file import read_project, stack_name_of

    if name:
        return name
    if template.name == FUNCTION_FILE:
        return str(read_project(template).name)
    directory = template.resolve().parent
    if directory.parts[-2:] == _BUILT.parts[:2]:
        directory = directory.parent.parent
    return stack_name_of(directory)


def _show_event(event: dict[str, Any]) -> None:
    reason = event.get("ResourceStatusReason", "")
    print_note(
        f"{event['Timestamp']:%H:%M:%S} {event['ResourceStatus']:<22}"
        f" {event['LogicalResourceId']} {event['ResourceType']} {reason}".rstrip()
    )


def _ignore(_: dict[str, Any]) -> None:
    pass


def print_outputs(outputs: Sequence[dict[str, Any]]) -> None:
    """Outputs of a stack, as a table."""
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
