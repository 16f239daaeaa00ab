"""Deploys a template as a stack, through a change set, and follows it to its end."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import botocore.exceptions

from lambent.cli.local_files import Upload, upload_template
from lambent.cli.output import CliError

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
BODY_BYTES_MAX = 51_200
"""Maximum size of a template in a request, as in AWS; a larger one is uploaded."""
_DEADLINE_S = 3600
_POLL_S = 0.2
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class Stack:
    """A stack by its name."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def find(self) -> dict[str, Any] | None:
        """Its description; None if there is no such stack."""
        try:
            found = self._client.describe_stacks(StackName=self.name)["Stacks"]
        except botocore.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(found[0])

    def existing(self) -> dict[str, Any]:
        """Its description. Raises `CliError` if there is no such stack."""
        known = self.find()
        if known is None:
            raise CliError(f"no stack is called {self.name}; `lambent stacks` lists them")
        return known

    def resources(self) -> list[dict[str, Any]]:
        """Its resources that exist. Raises botocore's errors."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = (each for page in pages for each in page["StackResourceSummaries"])
        return [each for each in found if each["ResourceStatus"] != "DELETE_COMPLETE"]

    def propose(
        self, template: Mapping[str, str], parameters: Mapping[str, str]
    ) -> dict[str, Any] | None:
        """Make a change set; returns its description, None if nothing changes. `template` is the
        `TemplateBody` or the `TemplateURL`. Raises `CliError` if it fails."""
        known = self.find()
        if known is not None and known["StackStatus"] == "ROLLBACK_COMPLETE":
            # Its creation failed. Nothing is left of it, and only its name is taken.
            self.delete(lambda _: None)
            known = None
        is_new = known is None or known["StackStatus"] == "REVIEW_IN_PROGRESS"
        given: list[dict[str, Any]] = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ]
        kept = () if is_new or known is None else known.get("Parameters", ())
        given += [
            {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
            for parameter in kept
            if parameter["ParameterKey"] not in parameters
            and self._declares(template, parameter["ParameterKey"])
        ]
        name = f"lambent-{time.time_ns()}"
        self._client.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            Parameters=given,
            Capabilities=CAPABILITIES,
            **template,
        )
        found = self._wait_for_change_set(name)
        if found["Status"] == "FAILED":
            self._client.delete_change_set(StackName=self.name, ChangeSetName=name)
            reason = found.get("StatusReason", "")
            if any(text in reason for text in _NO_CHANGES):
                return None
            raise CliError(f"cannot deploy {self.name}: {reason}")
        return found

    def _declares(self, template: Mapping[str, str], parameter: str) -> bool:
        summary = self._client.get_template_summary(**template)
        return parameter in {known["ParameterKey"] for known in summary.get("Parameters", ())}

    def _wait_for_change_set(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            page = self._client.describe_change_set(StackName=self.name, ChangeSetName=name)
            found: dict[str, Any] = dict(page)
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                while "NextToken" in page:
                    page = self._client.describe_change_set(
                        StackName=self.name, ChangeSetName=name, NextToken=page["NextToken"]
                    )
                    found["Changes"] = [*found["Changes"], *page["Changes"]]
                return found
            time.sleep(_POLL_S)  # noqa: TID251 - a poll of another process, on the wall clock
        raise CliError(f"the change set of {self.name} is not ready after {_DEADLINE_S} s")

    def execute(self, change_set: Mapping[str, Any], show: Callable[[dict[str, Any]], None]) -> Any:
        """Execute a change set and show each event; returns the stack. Raises `CliError` unless the
        stack ends as it should."""
        seen = {event["EventId"] for event in self._events()}
        self._client.execute_change_set(
            StackName=self.name, ChangeSetName=change_set["ChangeSetName"]
        )
        status = self._follow(self.name, seen, show)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise CliError(f"{self.name} ended as {status}: {self._cause()}")
        return self.find()

    def delete(self, show: Callable[[dict[str, Any]], None]) -> None:
        """Delete the stack and show each event. Raises `CliError` if resources remain."""
        known = self.existing()
        seen = {event["EventId"] for event in self._events()}
        self._client.delete_stack(StackName=self.name)
        status = self._follow(known["StackId"], seen, show)
        if status != "DELETE_COMPLETE":
            raise CliError(f"{self.name} ended as {status}: {self._cause()}")

    def _follow(self, name: str, seen: set[str], show: Callable[[dict[str, Any]], None]) -> str:
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            found = self._client.describe_stacks(StackName=name)["Stacks"][0]
            status: str = found["StackStatus"]
            for event in reversed(list(self._events(name))):
                if event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    show(event)
            is_starting = status == "REVIEW_IN_PROGRESS"
            if not is_starting and not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(_POLL_S)  # noqa: TID251 - a poll of another process, on the wall clock
        raise CliError(f"{self.name} is still being changed after {_DEADLINE_S} s")

    def _events(self, name: str | None = None) -> Iterator[dict[str, Any]]:
        """Newest first."""
        with suppress(botocore.exceptions.ClientError):
            pages = self._client.get_paginator("describe_stack_events")
            for page in pages.paginate(StackName=name or self.name):
                yield from page["StackEvents"]

    def _cause(self) -> str:
        """The first failure of the last operation."""
        failed = [
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in self._events()
            if event["ResourceStatus"].endswith("_FAILED")
            and "cancelled" not in event.get("ResourceStatusReason", "cancelled")
        ]
        return failed[-1] if failed else "its events say why"


def change_rows(change_set: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """A change set as rows of a table."""
    changes = (change["ResourceChange"] for change in change_set["Changes"])
    return [
        {
            "action": change["Action"],
            "resource": change["LogicalResourceId"],
            "type": change["ResourceType"],
            "replacement": change.get("Replacement", ""),
        }
        for change in changes
    ]


def template_argument(text: str, upload: Upload) -> dict[str, str]:
    """How a template is sent: in the request, or as an object if it is too large."""
    body = text.encode()
    if len(body) <= BODY_BYTES_MAX:
        return {"TemplateBody": text}
    compact = json.dumps(json.loads(text), separators=(",", ":"))
    if len(compact.encode()) <= BODY_BYTES_MAX:
        return {"TemplateBody": compact}
    return {"TemplateURL": upload_template(body, upload)}
