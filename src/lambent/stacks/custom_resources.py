"""Custom resources: functions that make what no type of resource makes.

A request goes to a function or a topic, and a response comes to the link in it. The response may
come after a restart, so both are documents of the stack until its operation ends.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref.html
"""

import dataclasses
import enum
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio

from lambent.kit import strict_json
from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.model.arn import Arn, Region
from lambent.model.document import Body, Root
from lambent.model.errors import ApiError
from lambent.model.stack_documents import SERVICE
from lambent.stacks.plan import has_unknown
from lambent.stacks.ports import AwsApi, Functions
from lambent.stacks.resources.resource_type import Made, Properties, Step, Unfinished
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid
from lambent.store.store import Store, Transaction

TIMEOUT_S: Final = 3600
"""ServiceTimeout, if a template has none; also the maximum."""
_LOOK_S: Final = 5.0
"""How often a response is looked for that another platform may have taken."""
_PHYSICAL_ID_MAX: Final = 1024
_NAMESPACE: Final = uuid.UUID("0f1c7a52-6a0e-4f0b-9a55-0c4f7a1f7f11")

Link = Callable[[Region, str], str]
"""The link for the response with a key."""


class Taken(enum.Enum):
    """What has become of a response."""

    TAKEN = "taken"
    """It is stored."""
    USED = "used"
    """There was one before."""
    UNKNOWN = "unknown"
    """Nothing waits for it."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    root: Root
    id: str
    event: Mapping[str, Any]
    timeout_s: float


class Responses:
    """Requests that wait for a response."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[str, anyio.Event] = {}

    async def respond(self, key: str, document: bytes | None) -> Taken:
        """Take the document that was sent to a link; None stands for one that is too long."""
        arn, _, rest = key.partition("|")
        id = rest.rpartition("|")[2]
        parsed = Arn.try_parse(arn)
        if parsed is None or not 0 < len(id) <= 64:
            return Taken.UNKNOWN
        text = None if document is None else document.decode(errors="replace")
        return await self.take(Root(SERVICE, *parsed.scope, parsed.name), id, text)

    async def take(self, root: Root, id: str, document: str | None) -> Taken:
        """As `respond`, of a request that is known."""

        def run(tx: Transaction) -> Taken:
            rows = StackRows(tx)
            rows.lock(root)
            body = rows.response(root, id)
            if body is None:
                return Taken.UNKNOWN
            signals = body.get("signals", [])
            if len(signals) >= body["signals_max"]:
                return Taken.USED
            rows.put_response(root, id, {**body, "signals": [*signals, document]})
            return Taken.TAKEN

        taken = await self._store.transact(run)
        event = self._waiting.get(id)
        if event is not None:
            event.set()
        return taken

    async def get(self, root: Root, id: str) -> Body | None:
        """What is known of a request."""
        return await self._store.read(lambda tx: StackRows(tx).response(root, id))

    async def open(self, root: Root, id: str, *, signals_max: int = 1) -> Body:
        """Expect a response, unless it is expected already."""

        def run(tx: Transaction) -> Body:
            rows = StackRows(tx)
            rows.lock(root)
            body = rows.response(root, id)
            if body is None:
                body = {"since": self._clock.now(), "signals_max": signals_max}
                rows.put_response(root, id, body)
            return body

        return await self._store.transact(run)

    async def note_sent(self, root: Root, id: str) -> None:
        """Write that a request was sent: it is not sent again."""

        def run(tx: Transaction) -> None:
            rows = StackRows(tx)
            rows.lock(root)
            body = rows.response(root, id)
            if body is not None:
                rows.put_response(root, id, {**body, "is_sent": True})

        await self._store.transact(run)

    async def wait(
        self, root: Root, id: str, is_enough: Callable[[list[str | None]], bool], timeout_s: float
    ) -> list[str | None] | None:
        """The documents that have come when they are enough; None after the timeout, which began
        when the first was expected."""
        while True:
            event = self._waiting[id] = anyio.Event()
            body = await self.get(root, id) or {"since": 0.0}
            documents = body.get("signals", [])
            if is_enough(documents):
                self._waiting.pop(id, None)
                return list(documents)
            rest_s = body["since"] + timeout_s - self._clock.now()
            if rest_s <= 0:
                self._waiting.pop(id, None)
                return None
            await wait_at_most(self._clock, event, min(rest_s, _LOOK_S))


class CustomResourceType:
    """`AWS::CloudFormation::CustomResource` and `Custom::…`. See `ResourceType`."""

    deadline_s = TIMEOUT_S + 600.0

    def __init__(
        self, name: str, api: AwsApi, functions: Functions, responses: Responses, link: Link
    ) -> None:
        self.name = name
        self._api = api
        self._functions = functions
        self._responses = responses
        self._link = link

    def check(self, properties: Properties) -> None:
        token = properties.get("ServiceToken")
        if not isinstance(token, str) and not has_unknown(token):
            raise invalid("Properties validation failed for resource: ServiceToken is required.")
        timeout = properties.get("ServiceTimeout", TIMEOUT_S)
        if not has_unknown(timeout) and not 1 <= _number(timeout) <= TIMEOUT_S:
            raise invalid(f"ServiceTimeout must be a number from 1 to {TIMEOUT_S}.")

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        return frozenset()

    def custom_name(self, properties: Properties) -> str | None:
        return None

    async def exists(self, step: Step, properties: Properties) -> bool:
        return False

    async def create(self, step: Step, properties: Properties) -> Made:
        request = self._request(step, "Create", properties)
        try:
            return await self._ask(step, request, properties)
        except ApiError as error:
            known = await self._responses.get(request.root, request.id)
            if known is None or not known.get("is_sent"):
                raise
            raise Unfinished(error, Made(_physical_id(known, step), {})) from error

    async def find(self, step: Step, properties: Properties) -> Made | None:
        request = self._request(step, "Create", properties)
        known = await self._responses.get(request.root, request.id)
        if known is None or not known.get("is_sent"):
            return None
        return Made(_physical_id(known, step), {})

    async def update(self, step: Step, made: Made, old: Properties, new: Properties) -> Made:
        if old.get("ServiceToken") != new.get("ServiceToken"):
            raise ApiError("", "Modifying service token is not allowed.")
        extra = {"PhysicalResourceId": made.physical_id, "OldResourceProperties": _texts(old)}
        return await self._ask(step, self._request(step, "Update", new, extra), new)

    async def delete(self, step: Step, made: Made, properties: Properties) -> None:
        extra = {"PhysicalResourceId": made.physical_id}
        await self._ask(step, self._request(step, "Delete", properties, extra), properties)

    async def read(self, step: Step, made: Made, properties: Properties) -> Made | None:
        return made

    def _request(
        self,
        step: Step,
        type: str,
        properties: Properties,
        extra: Mapping[str, Any] | None = None,
    ) -> _Request:
        members = {"ResourceProperties": _texts(properties), **(extra or {})}
        told = json.dumps([step.operation, step.token, type, members], sort_keys=True)
        id = str(uuid.uuid5(_NAMESPACE, told))
        scope = step.caller.scope
        event = {
            "RequestType": type,
            "ServiceToken": properties.get("ServiceToken"),
            "ResponseURL": self._link(scope.region, f"{step.stack_id}|{step.logical_id}|{id}"),
            "StackId": step.stack_id,
            "RequestId": id,
            "LogicalResourceId": step.logical_id,
            "ResourceType": self.name,
            **members,
        }
        root = Root(SERVICE, *scope, step.stack_id.rpartition("/")[2])
        timeout_s = float(_number(properties.get("ServiceTimeout", TIMEOUT_S)))
        return _Request(root, id, event, timeout_s)

    async def _ask(self, step: Step, request: _Request, properties: Properties) -> Made:
        responses = self._responses
        body = await responses.open(request.root, request.id)
        if not body.get("is_sent"):
            await self._send(step, properties["ServiceToken"], request.event)
            await responses.note_sent(request.root, request.id)
        documents = await responses.wait(request.root, request.id, bool, request.timeout_s)
        if documents is None:
            raise ApiError(
                "",
                "CloudFormation did not receive a response from your Custom Resource. Please check"
                f" your logs for requestId [{request.id}]. If you are using the Python"
                " cfn-response module, you may need to update your Lambda function code so that"
                " CloudFormation can attach the updated version.",
            )
        return _judge(documents[0], request)

    async def _send(self, step: Step, service_token: str, event: Mapping[str, Any]) -> None:
        arn = Arn.try_parse(service_token)
        if arn is not None and arn.service == "sns":
            message = {"TopicArn": service_token, "Message": json.dumps(event)}
            await self._api.call("sns", "Publish", message, step.caller)
        elif arn is not None and arn.service == "lambda":
            await self._functions.send(service_token, json.dumps(event).encode(), step.caller)
        else:
            raise ApiError("", f"Invalid service token {service_token}.")


def _judge(document: str | None, request: _Request) -> Made:
    """What a response says. Raises `ApiError`."""
    if document is None:
        raise _failed("Response object is too long.", request.id)
    found = _parsed(document)
    if found is None:
        raise _failed("Invalid response object: it is no JSON object.", request.id)
    for name in ("Status", "StackId", "RequestId", "LogicalResourceId"):
        if name not in found:
            raise _failed(f"Vendor response doesn't contain {name} key in object.", request.id)
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        if found[name] != request.event[name]:
            raise _failed(f"Invalid {name} in response object.", request.id)
    physical_id = found.get("PhysicalResourceId")
    if found["Status"] != "SUCCESS":
        raise _failed(str(found.get("Reason", "See the logs of the function.")), request.id)
    if not isinstance(physical_id, str) or not 0 < len(physical_id) <= _PHYSICAL_ID_MAX:
        raise _failed("Invalid PhysicalResourceId", request.id)
    data = found.get("Data") or {}
    if not isinstance(data, dict):
        raise _failed("Invalid Data in response object.", request.id)
    is_hidden = found.get("NoEcho") is True or found.get("NoEcho") == "true"
    return Made(physical_id, data, hidden=tuple(data) if is_hidden else ())


def _parsed(document: str) -> dict[str, Any] | None:
    """The object that a document is; None if it is none, or has a text that is not Unicode."""
    try:
        found = strict_json.parse_plain(document)
        json.dumps(found, ensure_ascii=False).encode()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _failed(message: str, request_id: str) -> ApiError:
    return ApiError(
        "",
        "Received response status [FAILED] from custom resource. Message returned:"
        f" {message} (RequestId: {request_id})",
    )


def _physical_id(known: Body, step: Step) -> str:
    """The id that a failed creation has said; a made-up one if it has said none, as in AWS."""
    for document in known.get("signals", []):
        id = (_parsed(document or "") or {}).get("PhysicalResourceId")
        if isinstance(id, str) and 0 < len(id) <= _PHYSICAL_ID_MAX:
            return id
    return step.name


def _texts(value: Any) -> Any:
    """A value as custom resources get it: all scalars are texts."""
    if isinstance(value, Mapping):
        return {name: _texts(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
