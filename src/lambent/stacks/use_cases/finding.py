"""Finds stacks and change sets by what callers call them."""

import re
import uuid
from typing import Final

from lambent.model.arn import Arn, Scope
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.model.stack_documents import SERVICE
from lambent.stacks.records import ChangeSet, Stack
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid

NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", re.ASCII)
_CHANGE_SET_NAME: Final = NAME
_UNIQUE: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


def find_stack(rows: StackRows, scope: Scope, name: str) -> Stack | None:
    """A stack by name or ARN; only the ARN finds one that is deleted."""
    if not name.startswith("arn:"):
        return rows.named(scope, name) if len(name) <= 256 else None
    arn = Arn.try_parse(name)
    if arn is None or arn.scope != scope or arn.service != SERVICE:
        return None
    kind, _, rest = arn.resource.partition("/")
    stack_name, _, id = rest.partition("/")
    if kind != "stack" or _UNIQUE.fullmatch(id) is None:
        return None
    stack = rows.stack(Root(SERVICE, *scope, id))
    return stack if stack is not None and stack.name == stack_name else None


def require_stack(rows: StackRows, scope: Scope, name: str) -> Stack:
    """As `find_stack`. Raises `ValidationError`."""
    stack = find_stack(rows, scope, name)
    if stack is None:
        raise invalid(f"Stack [{name}] does not exist")
    return stack


def require_change_set(
    rows: StackRows, scope: Scope, name: str, stack_name: str | None
) -> tuple[Stack, ChangeSet]:
    """A change set by ARN, or by name and the stack's name or ARN. Raises `ApiError`."""
    if name.startswith("arn:"):
        id = name.rpartition("/")[2]
        found = rows.find_change_set(id) if _UNIQUE.fullmatch(id) else None
        if found is not None and found[1].arn == name and found[0].scope == scope:
            stack = rows.stack(found[0])
            if stack is not None:
                return stack, found[1]
        raise _no_change_set(name)
    if stack_name is None:
        raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
    stack = require_stack(rows, scope, stack_name)
    for change_set in rows.change_sets(stack.root):
        if change_set.name == name:
            return stack, change_set
    raise _no_change_set(name)


def check_name(name: str, member: str) -> None:
    """Raises `ValidationError`."""
    if NAME.fullmatch(name) is None:
        raise invalid(
            f"1 validation error detected: Value '{name[:256]}' at '{member}' failed to satisfy"
            " constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def new_id() -> str:
    """The id of a stack or a change set."""
    return str(uuid.uuid4())


def _no_change_set(name: str) -> ApiError:
    return ApiError(
        "ChangeSetNotFoundException", f"ChangeSet [{name[:1600]}] does not exist", status=404
    )
