"""Events as operations show them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lambent.model.document import Body
from lambent.stacks.records import Stack
from lambent.stacks.statuses import STACK_TYPE

_UNSUCCESSFUL: Final = ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def moment_of(event: Body) -> datetime:
    """When it was."""
    return datetime.fromtimestamp(event["time"], UTC)


def written_moment(moment: datetime) -> str:
    """As in AWS: with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def event_id(event: Body) -> str:
    """EventId."""
    moment = written_moment(moment_of(event))
    return f"{event['logical_id']}-{event['status']}-{moment}-{event['number']}"


def stack_event(stack: Stack, event: Body) -> Mapping[str, Any]:
    """As DescribeStackEvents shows it."""
    return _present({"StackName": stack.name, **_common(stack, event)})


def operation_event(stack: Stack, event: Body) -> Mapping[str, Any]:
    """As DescribeEvents shows it."""
    is_of_stack = event.get("type") == STACK_TYPE and event["logical_id"] == stack.name
    kind = "STACK_EVENT" if is_of_stack else "PROGRESS_EVENT"
    if not is_of_stack and has_failed(event):
        kind = "PROVISIONING_ERROR"
    return _present(
        {
            **_common(stack, event),
            "EventType": kind,
            "OperationType": event.get("operation_kind") or None,
            "OperationStatus": _operation_status(event) if is_of_stack else None,
        }
    )


def has_failed(event: Body) -> bool:
    """Whether something has failed, for the filter of DescribeEvents."""
    return str(event["status"]).endswith("_FAILED")


def _operation_status(event: Body) -> str:
    status, kind = event["status"], event.get("operation_kind")
    if status.endswith("_IN_PROGRESS"):
        return "IN_PROGRESS"
    is_back = status in _UNSUCCESSFUL and kind in ("CREATE_STACK", "UPDATE_STACK")
    return "FAILED" if is_back or status.endswith("_FAILED") else "SUCCEEDED"


def _common(stack: Stack, event: Body) -> dict[str, Any]:
    return {
        "StackId": stack.arn,
        "EventId": event_id(event),
        "OperationId": event.get("operation"),
        "LogicalResourceId": event["logical_id"],
        "PhysicalResourceId": event.get("physical_id", ""),
        "ResourceType": event.get("type"),
        "Timestamp": moment_of(event),
        "ResourceStatus": event["status"],
        "ResourceStatusReason": event.get("reason"),
        "ResourceProperties": event.get("properties"),
        "ClientRequestToken": event.get("client_token"),
    }


def _present(members: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
