"""Statuses of stacks and of resources, and AWS's words about them."""

from collections.abc import Iterable
from typing import Final

USER_INITIATED: Final = "User Initiated"
CREATION_INITIATED: Final = "Resource creation Initiated"
REPLACING: Final = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)
TIMED_OUT: Final = "Stack creation time exceeded the specified timeout."
CANCELLED: Final = {
    "CREATE": "Resource creation cancelled",
    "UPDATE": "Resource update cancelled",
    "DELETE": "Resource deletion cancelled",
}
STACK_TYPE: Final = "AWS::CloudFormation::Stack"

UPDATABLE: Final = frozenset(
    {
        *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"),
        *("CREATE_FAILED", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
    }
)
"""A stack with one of these may be updated."""


def failed_reason(created: Iterable[str], updated: Iterable[str]) -> str:
    """Which resources failed to be created and updated; empty if there are none."""
    return "".join(
        f"The following resource(s) failed to {verb}: [{', '.join(sorted(ids))}]. "
        for verb, ids in (("create", tuple(created)), ("update", tuple(updated)))
        if ids
    )


def undeleted_reason(ids: Iterable[str]) -> str:
    """Why a stack cannot be deleted."""
    return f"The following resource(s) failed to delete: [{', '.join(sorted(ids))}]. "
