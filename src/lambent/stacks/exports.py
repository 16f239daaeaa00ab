"""Exports of stacks: unique in an account and region, and there as long as they are imported."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model.errors import ApiError
from lambent.stacks.records import Stack
from lambent.stacks.rows import StackRows


def change_exports(
    rows: StackRows,
    stack: Stack,
    outputs: Sequence[Mapping[str, Any]],
    *,
    only_checks: bool = False,
) -> None:
    """Make a stack's exports those of its outputs. Raises `ApiError` for a name that another stack
    has, and for an export that changes while another stack uses it."""
    wanted = {
        output["ExportName"]: output["OutputValue"] for output in outputs if "ExportName" in output
    }
    known = rows.exports(stack.scope)
    for name in wanted:
        if name in known and known[name]["stack"] != stack.arn:
            owner = str(known[name]["stack"]).split("/")[1]
            raise ApiError("", f"Export with name {name} is already exported by stack {owner}.")
    for name, export in known.items():
        if export["stack"] != stack.arn or wanted.get(name) == export["value"]:
            continue
        users = [user.name for user in rows.importers(stack.scope, name) if user.id != stack.id]
        if users:
            verb = "updated" if name in wanted else "deleted"
            raise ApiError(
                "", f"Export {name} cannot be {verb} as it is in use by {' and '.join(users)}"
            )
        if name not in wanted and not only_checks:
            rows.drop_export(stack.scope, name)
    if not only_checks:
        for name, value in wanted.items():
            rows.put_export(stack.scope, name, stack.arn, value)
