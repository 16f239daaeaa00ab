"""The states of a version, and what may be done in which.

create            Pending ──prepared──► Active, LastUpdateStatus Successful
                     └────not usable──► Failed
update of $LATEST InProgress ─prepared─► Successful
                     └────not usable──► Failed (the previous version keeps serving)
"""

import dataclasses
import uuid

from lambent.model.alias import Alias
from lambent.model.errors import ApiError, conflict
from lambent.model.function import FunctionVersion

_CREATING = "The function is being created."


def new_id() -> str:
    """A new revision id or configuration id."""
    return str(uuid.uuid4())


def pending(version: FunctionVersion, *, now: float) -> FunctionVersion:
    """`version` as a new version, which must be prepared first."""
    return dataclasses.replace(
        version,
        configuration_id=new_id(),
        revision_id=new_id(),
        last_modified_ms=int(now * 1000),
        state="Pending",
        state_reason=_CREATING,
        state_reason_code="Creating",
        last_update_status=None,
        last_update_status_reason=None,
        last_update_status_reason_code=None,
    )


def updating(version: FunctionVersion, *, now: float) -> FunctionVersion:
    """The changed `version`, as an update in progress."""
    return dataclasses.replace(
        version,
        configuration_id=new_id(),
        revision_id=new_id(),
        last_modified_ms=int(now * 1000),
        last_update_status="InProgress",
        last_update_status_reason=_CREATING,
        last_update_status_reason_code="Creating",
    )


def settled(version: FunctionVersion) -> FunctionVersion:
    """`version` after it was prepared."""
    return dataclasses.replace(
        version,
        revision_id=new_id(),
        state="Active",
        state_reason=None,
        state_reason_code=None,
        last_update_status="Successful",
        last_update_status_reason=None,
        last_update_status_reason_code=None,
    )


def failed(version: FunctionVersion, *, reason: str, code: str) -> FunctionVersion:
    """`version` after preparing it failed: the whole version, or only its update."""
    if version.state == "Pending":
        return dataclasses.replace(
            version,
            revision_id=new_id(),
            state="Failed",
            state_reason=reason,
            state_reason_code=code,
        )
    return dataclasses.replace(
        version,
        revision_id=new_id(),
        last_update_status="Failed",
        last_update_status_reason=reason,
        last_update_status_reason_code=code,
    )


def revised(version: FunctionVersion) -> FunctionVersion:
    """`version` with a new revision id."""
    return dataclasses.replace(version, revision_id=new_id())


def require_ready(latest: FunctionVersion) -> None:
    """Refuse to change a function that is being created, failed to be created, or is being updated.

    Raises `ResourceConflictException`.
    """
    if latest.state != "Active":
        raise conflict(
            "The operation cannot be performed at this time. The function is currently in the"
            f" following state: {latest.state}"
        )
    require_no_update(latest)


def require_no_update(latest: FunctionVersion) -> None:
    """Raises `ResourceConflictException` while an update is in progress."""
    if latest.last_update_status == "InProgress":
        raise conflict(
            "The operation cannot be performed at this time. An update is in progress for"
            f" resource: {latest.key.arn}"
        )


def require_revision(latest: FunctionVersion | Alias, revision_id: str | None) -> None:
    """Raises `PreconditionFailedException` if the caller's revision id is not the latest."""
    if revision_id and revision_id != latest.revision_id:
        raise ApiError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the"
            " GetFunction/GetAlias API to retrieve the latest Revision Id",
            status=412,
        )
