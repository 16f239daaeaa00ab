"""Judges what a repeatedly killed platform has made of stacks."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.crash.stack_inventory import Clients, inventory, name_of_queue

_TYPE = "AWS::CloudFormation::Stack"
_THING = "AWS::CloudFormation::CustomResource"
_GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")


class StackAuditor:
    """Compares stacks with what services list, and reads the queue in which the function of custom
    resources says what it was asked for."""

    def __init__(self, client: Clients, queue: Any, url: str) -> None:
        self._client = client
        self._queue = queue
        self._url = url
        self._deleted: set[str] = set()
        self.requests: dict[str, Mapping[str, Any]] = {}
        """To custom resources, by id, in the order of their arrival."""
        self.repeated = 0
        """How many requests came more than once, with the same content."""
        self.resources = 0
        """How many resources were compared."""
        self.events = 0
        """How many events were read."""

    def audit(self) -> None:
        """Judge everything, once no stack is under way."""
        stacks = self._stacks()
        claimed = Counter[tuple[str, str]]()
        for stack in stacks:
            self._judge_status(stack)
            claimed += self._claimed(stack)
            self._judge_events(stack)
        for stack in self._newly_deleted():
            self._judge_events(stack)
        things = Counter({key: count for key, count in claimed.items() if key[0] == _THING})
        found = inventory(self._client)
        assert found == claimed - things, (
            f"orphaned: {found - claimed}; missing: {claimed - things - found}"
        )
        self._judge_requests(things)
        self.resources += claimed.total()

    def _stacks(self) -> list[dict[str, Any]]:
        pages = self._client("cloudformation").get_paginator("describe_stacks").paginate()
        return [stack for page in pages for stack in page["Stacks"]]

    def _newly_deleted(self) -> list[dict[str, Any]]:
        """Stacks that were not deleted at the last audit."""
        pages = (
            self._client("cloudformation")
            .get_paginator("list_stacks")
            .paginate(StackStatusFilter=["DELETE_COMPLETE"])
        )
        listed = [stack for page in pages for stack in page["StackSummaries"]]
        found = [stack for stack in listed if stack["StackId"] not in self._deleted]
        self._deleted.update(stack["StackId"] for stack in found)
        return found

    def _judge_status(self, stack: Mapping[str, Any]) -> None:
        status = stack["StackStatus"]
        assert status.endswith("_COMPLETE"), (stack["StackName"], status, self.reasons(stack))

    def reasons(self, stack: Mapping[str, Any]) -> Sequence[str]:
        """Why steps of a stack have failed."""
        shown = "LogicalResourceId", "ResourceStatus", "ResourceStatusReason"
        return [
            " ".join(event[name] for name in shown)
            for event in self._events(stack)
            if "FAILED" in event["ResourceStatus"] or "ROLLBACK" in event["ResourceStatus"]
            if "ResourceStatusReason" in event
        ]

    def _claimed(self, stack: Mapping[str, Any]) -> Counter[tuple[str, str]]:
        """What a stack says that it has. It is what its template says, each with its properties."""
        client = self._client("cloudformation")
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack["StackId"])
        listed = {
            resource["LogicalResourceId"]: resource
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceStatus"] not in _GONE
        }
        template = client.get_template(StackName=stack["StackId"])["TemplateBody"]
        wanted = json.loads(template) if isinstance(template, str) else template
        is_empty = stack["StackStatus"] == "ROLLBACK_COMPLETE"
        names = () if is_empty else wanted["Resources"]
        assert listed.keys() == set(names), (stack["StackName"], listed.keys(), names)
        for resource in listed.values():
            assert resource["ResourceStatus"].endswith("_COMPLETE"), resource
        (word,) = [p["ParameterValue"] for p in stack["Parameters"] if p["ParameterKey"] == "Word"]
        if "Function" in listed:
            name = listed["Function"]["PhysicalResourceId"]
            found = self._client("lambda").get_function_configuration(FunctionName=name)
            role = listed["Role"]["PhysicalResourceId"]
            assert found["Environment"]["Variables"] == {"WHO": word}, (word, found)
            assert found["Role"].endswith(f"role/{word}/{role}")
            group = listed["Logs"]["PhysicalResourceId"]
            groups = self._client("logs").describe_log_groups(logGroupNamePrefix=group)
            days = groups["logGroups"][0]["retentionInDays"]
            assert days == wanted["Resources"]["Logs"]["Properties"]["RetentionInDays"]
        if "Bot" in listed:
            self._judge_bot(listed["Bot"]["PhysicalResourceId"], wanted["Resources"]["Bot"])
        return Counter(map(_key, listed.values()))

    def _judge_bot(self, bot: str, wanted: Mapping[str, Any]) -> None:
        """Its locale is built, and has the intents of the template with their slots."""
        models = self._client("lexv2-models")
        place = {"botId": bot, "botVersion": "DRAFT", "localeId": "en_US"}
        assert models.describe_bot_locale(**place)["botLocaleStatus"] == "Built"
        intents = models.list_intents(**place)["intentSummaries"]
        names = {each["Name"] for each in wanted["Properties"]["BotLocales"][0]["Intents"]}
        assert {each["intentName"] for each in intents} == names
        for each in intents:
            found = models.describe_intent(**place, intentId=each["intentId"])
            assert len(found["slotPriorities"]) == 1, found

    # -- Events ------------------------------------------------------------------------------------

    def _events(self, stack: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The oldest first."""
        client = self._client("cloudformation")
        pages = client.get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def _judge_events(self, stack: Mapping[str, Any]) -> None:
        events = self._events(stack)
        self.events += len(events)
        assert len({event["EventId"] for event in events}) == len(events)
        for before, after in itertools.pairwise(events):
            assert before["Timestamp"] <= after["Timestamp"], (before, after)
        begun = defaultdict[tuple[str, str], str](str)
        is_under_way = False
        for event in events:
            logical_id, status = event["LogicalResourceId"], event["ResourceStatus"]
            if event["PhysicalResourceId"] == stack["StackId"]:
                is_under_way = status.endswith("_IN_PROGRESS")
                assert is_under_way or not any(begun.values()), (stack["StackName"], event, begun)
                continue
            assert is_under_way, f"{event} comes after the end of the operation"
            verb, _, rest = status.partition("_")
            # Several physical resources of one name may be deleted.
            key = logical_id, event["PhysicalResourceId"] if verb == "DELETE" else ""
            if rest == "IN_PROGRESS":
                assert begun[key] in ("", verb), (event, begun[key])
                begun[key] = verb
            elif begun[key] == verb:
                begun[key] = ""
            else:
                assert rest == "FAILED" or verb == "DELETE", f"{event} was not begun"
                assert not (verb == "DELETE" and event["PhysicalResourceId"]), event

    # -- Custom resources --------------------------------------------------------------------------

    def _judge_requests(self, claimed: Counter[tuple[str, str]]) -> None:
        """Each request has always the same content; what they have made is what stacks have."""
        self._receive()
        alive = Counter[str]()
        for request in self.requests.values():
            kind, physical_id = request["RequestType"], request["PhysicalResourceId"]
            if kind == "Delete":
                alive[physical_id] = 0
            elif request["made"]:
                alive[request["made"]] = 1
        alive = +alive
        wanted = Counter({id: count for (_, id), count in claimed.items()})
        assert alive == wanted, (
            f"things orphaned: {alive - wanted}; missing: {wanted - alive}; {self.requests}"
        )

    def _receive(self) -> None:
        while messages := self._queue.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                request = json.loads(message["Body"])
                known = self.requests.setdefault(request["RequestId"], request)
                assert known == request, f"the same id, another request: {known}, {request}"
                self.repeated += known is not request
                self._queue.delete_message(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                )


def _key(resource: Mapping[str, Any]) -> tuple[str, str]:
    type, id = resource["ResourceType"], resource["PhysicalResourceId"]
    return type, name_of_queue(id) if type == "AWS::SQS::Queue" else id
