"""Integrations with other AWS services: `AWS_PROXY` with a subtype.

The service is called with the role of the integration. A strict platform asks the role's policies.
"""

import base64
import datetime
import json
import logging
from collections.abc import Mapping
from typing import Any

from lambent.aws.client import AwsUnreachable
from lambent.aws.errors import BotoCoreError, ClientError
from lambent.identity.authorizer import Access, Caller
from lambent.kit import strict_json
from lambent.kit.computing import computed
from lambent.kit.tasks import start_task
from lambent.model.arn import Region
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.names import is_region
from lambent.model.service_integrations import CALLERS_OWN_ROLE, SUBTYPES, parse_parameters
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.calls import SERVICE
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.integration import Common
from lambent.triggers.apis.http.variables import look_up

logger = logging.getLogger(__name__)

_VALUE_MAX = 1_048_576
"""Characters of a parameter: as large as a message may be."""
_JSON = "application/json"
_AS_JSON = frozenset(
    {
        *("AttributeNames", "MessageAttributeNames", "MessageAttributes"),
        *("MessageSystemAttributes", "Resources"),
    }
)
_AS_NUMBER = frozenset(
    {"DelaySeconds", "MaxNumberOfMessages", "VisibilityTimeout", "WaitTimeSeconds"}
)
_LOWER_FIRST = frozenset({"stepfunctions"})
"""Services whose members begin with a small letter."""


class ServiceIntegration:
    """Calls one operation of a service."""

    def __init__(self, context: ApiContext, stage: Stage, body: Body) -> None:
        """Raises ValueError if the subtype or its parameters are not valid."""
        self._context = context
        self._scope = stage.root.scope
        subtype = SUBTYPES.get(body["IntegrationSubtype"])
        if subtype is None:
            raise ValueError(f"there is no integration subtype {body['IntegrationSubtype']}")
        self._subtype = subtype
        self._texts = parse_parameters(subtype, body.get("RequestParameters") or {})
        self._common = Common.of(body, has_request_changes=False)

    def handle(self, call: HttpCall) -> None:
        """See `Integration`."""
        call.integration_started = self._context.clock.now()
        start_task(self._context.tasks, call.fail, self._handle, call)

    async def _handle(self, call: HttpCall) -> None:
        subtype, common = self._subtype, self._common
        try:
            values = await computed(self._values, call)
            region = Region(values.pop("Region", "") or self._scope.region)
            if not is_region(region):
                raise ValueError(f"{region[:64]!r} is not a region")
            caller = self._caller(call)
            access = _access(subtype.service, subtype.operation, values, region, caller)
            await self._context.authorizer.check(caller, access)
            result = await self._context.aws.call(
                subtype.service,
                subtype.operation,
                _members(subtype.service, subtype.operation, values),
                region=region,
                account=self._scope.account,
                deadline_s=common.timeout_s,
            )
            status, (kind, body) = 200, _document(result)
        except ClientError as error:
            kind = _JSON
            status, body = _refusal(error)
            call.integration_error = str(error)
        except (ApiError, BotoCoreError, ValueError) as error:
            call.integration_error = str(error)
            status, message = (
                (403, "Forbidden") if isinstance(error, ApiError) else (400, str(error))
            )
            call.refuse(status, message)
            return
        except AwsUnreachable as error:
            call.integration_error = str(error)
            call.refuse(503, "Service Unavailable")
            return
        call.integration_status = status
        call.integration_ended = self._context.clock.now()
        common.respond(call, status, [("Content-Type", kind)], body)

    def _values(self, call: HttpCall) -> dict[str, str]:
        """The parameters for a request; those without a value are left out. Raises ValueError."""
        find, found = look_up(call), dict[str, str]()
        for name, text in self._texts.items():
            value = text.render(find, _VALUE_MAX)
            if value is not None:
                found[name] = value
            elif name in self._subtype.required:
                raise ValueError(f"Parameter: {name} is a required parameter")
        return found

    def _caller(self, call: HttpCall) -> Caller:
        """Raises `AccessDeniedException`."""
        role = self._common.role
        if role == CALLERS_OWN_ROLE and call.caller is not None:
            return call.caller
        session = "BackplaneAssumeRoleSession"
        return self._context.roles.assume(role or "", SERVICE, self._scope, session)


def _members(service: str, operation: str, values: Mapping[str, str]) -> dict[str, Any]:
    """The members of the operation. Raises ValueError for a value of the wrong type."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        member = name[0].lower() + name[1:] if service in _LOWER_FIRST else name
        if name in _AS_NUMBER:
            found[member] = int(value)
        elif name in _AS_JSON:
            found[member] = strict_json.parse_plain(value)
        elif name == "Time":
            found[member] = datetime.datetime.fromisoformat(value)
        elif name == "Data":
            found[member] = base64.b64decode(value, validate=True)
        else:
            found[member] = value
    return {"Entries": [found]} if operation == "PutEvents" else found


def _access(
    service: str, operation: str, values: Mapping[str, str], region: str, caller: Caller
) -> Access:
    """What the role needs permission for. Raises ValueError for a value that names nothing."""
    account: str = caller.principal.account
    match service:
        case "sqs":
            parts = values["QueueUrl"].rstrip("/").rsplit("/", 2)
            if len(parts) != 3:
                raise ValueError("the QueueUrl is not the URL of a queue")
            account, resource = parts[1], f"arn:aws:sqs:{region}:{parts[1]}:{parts[2]}"
            action = f"sqs:{operation}"
        case "events":
            bus = values.get("EventBusName") or "default"
            is_arn = bus.startswith("arn:")
            resource = bus if is_arn else f"arn:aws:events:{region}:{account}:event-bus/{bus}"
            action = "events:PutEvents"
        case "kinesis":
            resource = f"arn:aws:kinesis:{region}:{account}:stream/{values['StreamName']}"
            action = "kinesis:PutRecord"
        case "stepfunctions":
            resource = values.get("StateMachineArn") or values["ExecutionArn"]
            action = f"states:{operation}"
        case _:
            resource = f"arn:aws:appconfig:{region}:{account}:application/{values['Application']}"
            action = "appconfig:GetConfiguration"
    return Access(action, resource, account)


def _document(result: Mapping[str, Any]) -> tuple[str, bytes]:
    """The type and the text of what the service returned: JSON, or the document that it is."""
    content = result.get("Content")
    if isinstance(content, bytes):
        return result.get("ContentType") or "application/octet-stream", content
    shown = {name: value for name, value in result.items() if name != "ResponseMetadata"}
    return _JSON, json.dumps(shown, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def _refusal(error: ClientError) -> tuple[int, bytes]:
    response = error.response
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    document = response.get("Error", {})
    body = {"__type": document.get("Code"), "message": document.get("Message")}
    return status, json.dumps(body).encode()
