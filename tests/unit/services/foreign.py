"""Requests for services of the emulator, as the server would pass them on."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from lambent.identity.authorizer import Caller
from lambent.model.arn import Scope
from lambent.model.principal import root_of

ACCOUNT = "123456789012"
SCOPE = Scope(ACCOUNT, "eu-west-1")


@dataclasses.dataclass
class Foreign:
    """What of an exchange is read."""

    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""


def json_request(target: str, **params: Any) -> Foreign:
    return Foreign(headers={"x-amz-target": target}, body=json.dumps(params).encode())


def form_request(**params: str) -> Foreign:
    return Foreign(body=urlencode(params).encode())


def caller(service: str | None = "sqs") -> Caller:
    return Caller(
        principal=root_of(ACCOUNT), scope=SCOPE, service=service, access_key_id="AKIASECRET"
    )
