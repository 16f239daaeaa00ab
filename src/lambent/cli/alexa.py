"""Requests to a skill, as Alexa sends them, signed with the key of a hook for local use.

https://developer.amazon.com/docs/alexa/custom-skills/request-and-response-json-reference.html
"""

import base64
import datetime
import json
import uuid
from collections.abc import Sequence
from typing import Any

import botocore.awsrequest
import botocore.exceptions
import botocore.httpsession
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lambent.cli.hooks import show
from lambent.cli.output import CliError, UsageError

_TYPES = {"launch": "LaunchRequest", "intent": "IntentRequest", "end": "SessionEndedRequest"}
_CERTIFICATES = "https://s3.amazonaws.com/echo.api/lambent/"


def send(
    endpoint: str,
    name: str,
    request: str,
    arguments: Sequence[str],
    *,
    locale: str,
    attributes: str | None,
) -> Any:
    """Send a request; returns the skill's response. Raises CliError."""
    hook = show(endpoint, name, with_secret=True)
    if hook["kind"] != "alexa" or "secret" not in hook:
        raise CliError(f"{name} takes no requests from here: create it with --kind alexa --local")
    body = json.dumps(
        envelope(request, arguments, hook["options"]["skill"], locale=locale, attributes=attributes)
    ).encode()
    address: str = hook["address"]
    headers = sign(body, hook["secret"], address.rpartition("/")[2])
    sent = botocore.awsrequest.AWSRequest("POST", address, data=body, headers=headers)
    try:
        answer = botocore.httpsession.URLLib3Session(timeout=60).send(sent.prepare())
    except botocore.exceptions.HTTPClientError as error:
        raise CliError(f"the platform at {endpoint} did not answer: {error}") from error
    try:
        document = json.loads(answer.content)
    except ValueError as error:
        raise CliError(f"the skill's response is not JSON: {error}") from error
    if answer.status_code != 200:
        raise CliError(f"{answer.status_code}: {document.get('message')}")
    return document


def sign(body: bytes, pem: str, hook_id: str) -> dict[str, str]:
    """The headers of a signed request. `pem` is the key of the hook."""
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    signature = key.sign(body, PKCS1v15(), SHA256())
    return {
        "Content-Type": "application/json; charset=utf-8",
        "SignatureCertChainUrl": f"{_CERTIFICATES}{hook_id}.pem",
        "Signature-256": base64.b64encode(signature).decode(),
    }


def envelope(
    request: str,
    arguments: Sequence[str],
    skill: str,
    *,
    locale: str = "en-US",
    attributes: str | None = None,
) -> dict[str, Any]:
    """The body of a request. Raises UsageError."""
    kind = _TYPES.get(request)
    if kind is None:
        raise UsageError(f"cannot send {request}: send one of {', '.join(_TYPES)}")
    if bool(arguments) != (request == "intent"):
        raise UsageError("write the name of the intent after `intent`, and nothing after others")
    now = datetime.datetime.now(datetime.UTC)
    application = {"applicationId": skill}
    user = {"userId": f"amzn1.ask.account.{'A' * 16}"}
    asked: dict[str, Any] = {
        "type": kind,
        "requestId": f"amzn1.echo-api.request.{uuid.uuid4()}",
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "locale": locale,
    }
    if request == "intent":
        asked |= {"intent": _intent(arguments), "dialogState": "COMPLETED"}
    if request == "end":
        asked["reason"] = "USER_INITIATED"
    return {
        "version": "1.0",
        "session": {
            "new": attributes is None,
            "sessionId": f"amzn1.echo-api.session.{uuid.uuid4()}",
            "application": application,
            "attributes": _attributes(attributes),
            "user": user,
        },
        "context": {
            "System": {
                "application": application,
                "user": user,
                "device": {
                    "deviceId": f"amzn1.ask.device.{'A' * 16}",
                    "supportedInterfaces": {},
                },
                "apiEndpoint": "https://api.amazonalexa.com",
                "apiAccessToken": "none",
            }
        },
        "request": asked,
    }


def _intent(arguments: Sequence[str]) -> dict[str, Any]:
    name, *texts = arguments
    slots = {}
    for text in texts:
        slot, sign, value = text.partition("=")
        if not sign or not slot:
            raise UsageError(f"cannot use {text}: a slot has the form SLOT=VALUE")
        slots[slot] = {"name": slot, "value": value, "confirmationStatus": "NONE"}
    return {"name": name, "confirmationStatus": "NONE", "slots": slots}


def _attributes(text: str | None) -> Any:
    try:
        attributes = json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(f"cannot use --attributes: {error}") from error
    if not isinstance(attributes, dict):
        raise UsageError("cannot use --attributes: they are an object")
    return attributes
