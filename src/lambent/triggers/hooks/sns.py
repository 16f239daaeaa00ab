"""Hooks of the kind `sns`: messages of Amazon SNS, as the event that it sends to functions. A
subscription is confirmed once its signature is verified.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from lambent.kit import quick_json
from lambent.model.arn import Arn
from lambent.triggers.hooks.certificates import (
    CertificateRefused,
    CertificatesBusy,
    CertificateUnreadable,
    Fetch,
    SigningCertificates,
)
from lambent.triggers.hooks.kind import (
    HookRefused,
    HookRequest,
    Once,
    Received,
    instant,
    json_response,
    parsed,
    require_method,
    require_no_path,
)
from lambent.triggers.url_response import UrlResponse

Message = Mapping[str, Any]

_HOST = r"sns\.(?P<region>[a-z0-9-]{1,32})\.amazonaws\.com(?P<china>\.cn)?"
_CERTIFICATE = re.compile(rf"https://{_HOST}/SimpleNotificationService-[0-9a-f]{{1,64}}\.pem")
_CONFIRMATION = re.compile(rf"https://{_HOST}/\?Action=ConfirmSubscription&[\x21-\x7e]{{1,2048}}")
_NOTIFICATION = "Notification"
_SIGNED: Mapping[str, Sequence[str]] = {
    _NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
    "UnsubscribeConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
"""The members that a message of each type is signed over, in order."""
_HASHES: Mapping[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}
_AGE_S_MAX = 3900.0
"""SNS retries for at most an hour."""
_AHEAD_S_MAX = 300.0
_SIGNATURE_MAX = 4096


class SnsMessages:
    """Receives messages."""

    def __init__(self, certificates: SigningCertificates, fetch: Fetch) -> None:
        """`fetch` reads the address that confirms a subscription."""
        self._certificates = certificates
        self._fetch = fetch

    async def receive(self, request: HookRequest) -> Received | UrlResponse:
        """See `Receive`."""
        require_method(request, "POST")
        require_no_path(request)
        if request.exchange.headers.get("x-amz-sns-rawdelivery") == "true":
            raise HookRefused(400, "Messages are not signed with raw message delivery on.")
        message = await parsed(request.exchange.body)
        _check_form(message)
        if message["TopicArn"] not in request.hook.options["topics"]:
            raise HookRefused(403, "The hook does not take messages of this topic.")
        try:
            at = instant(message["Timestamp"]).timestamp()
        except (OverflowError, ValueError) as error:
            raise HookRefused(400, "The time of the message is not valid.") from error
        if not -_AHEAD_S_MAX <= request.now - at <= _AGE_S_MAX:
            raise HookRefused(403, "The message is too old, or from the future.")
        await self._verify(message)
        if message["Type"] == "SubscriptionConfirmation":
            return await self._confirm(message)
        if message["Type"] != _NOTIFICATION:
            return json_response(200, "The subscription has ended.")
        key = hashlib.sha256(message["MessageId"].encode()).digest()[:16]
        once = Once(key, max(request.now, at) + _AGE_S_MAX + 1)
        return Received(events=[_event(message, request)], once=once)

    async def _verify(self, message: Message) -> None:
        address = _CERTIFICATE.fullmatch(message["SigningCertURL"])
        topic = Arn.parse(message["TopicArn"])
        if address is None or not _is_of(address, topic.region):
            raise HookRefused(403, "The address of the certificate is not one of SNS.")
        try:
            key = await self._certificates.key_at(address[0], _names(topic.region))
            signature = base64.b64decode(message["Signature"], validate=True)
            digest = _HASHES[message["SignatureVersion"]]
            key.verify(signature, canonical(message), PKCS1v15(), digest)
        except CertificatesBusy as error:
            raise HookRefused(429, "Too many certificates are being read.") from error
        except CertificateUnreadable as error:
            # SNS retries after an error of the server only.
            raise HookRefused(503, str(error)) from error
        except CertificateRefused as error:
            raise HookRefused(403, str(error)) from error
        except (InvalidSignature, ValueError) as error:
            raise HookRefused(403, "The signature is not valid.") from error

    async def _confirm(self, message: Message) -> UrlResponse:
        address = _CONFIRMATION.fullmatch(message["SubscribeURL"])
        if address is None or not _is_of(address, Arn.parse(message["TopicArn"]).region):
            raise HookRefused(403, "The address of the confirmation is not one of SNS.")
        try:
            await self._fetch(address[0])
        except OSError as error:
            raise HookRefused(502, "The subscription cannot be confirmed.") from error
        return json_response(200, "The subscription is confirmed.")


def canonical(message: Message) -> bytes:
    """The text that a message's signature is of."""
    return "".join(
        f"{name}\n{message[name]}\n"
        for name in _SIGNED[message["Type"]]
        if message.get(name) is not None
    ).encode("utf-8", "surrogatepass")


def _check_form(message: Any) -> None:
    """Raises `HookRefused` unless a document has the members of a message."""
    kind = message.get("Type") if isinstance(message, dict) else None
    if not isinstance(kind, str) or kind not in _SIGNED:
        raise HookRefused(400, "The body is not a message of SNS.")
    needed = {*_SIGNED[kind], "SigningCertURL", "Signature", "SignatureVersion"} - {"Subject"}
    subject = message.get("Subject")
    if not all(isinstance(message.get(name), str) for name in needed) or not (
        subject is None or isinstance(subject, str)
    ):
        raise HookRefused(400, "The message of SNS lacks members.")
    if message["SignatureVersion"] not in _HASHES or len(message["Signature"]) > _SIGNATURE_MAX:
        raise HookRefused(400, "The version of the signature is not known.")


def _is_of(address: re.Match[str], region: str) -> bool:
    is_china = address["china"] is not None
    return address["region"] == region and is_china == region.startswith("cn-")


def _names(region: str) -> Sequence[str]:
    """The names that certificates of SNS in a Region have, as AWS's SDK for Java lists them."""
    if region.startswith("cn-"):
        return [f"sns-{region}.amazonaws.com.cn"]
    if region.startswith("us-gov-"):
        return ["sns-us-gov-west-1.amazonaws.com"]
    return ["sns.amazonaws.com", f"sns-signing.{region}.amazonaws.com"]


def _event(message: Message, request: HookRequest) -> bytes:
    subscription = request.exchange.headers.get("x-amz-sns-subscription-arn", "")
    if not subscription.startswith(f"{message['TopicArn']}:"):
        subscription = message["TopicArn"]
    notification = {
        "Type": _NOTIFICATION,
        "MessageId": message["MessageId"],
        "TopicArn": message["TopicArn"],
        "Subject": message.get("Subject"),
        "Message": message["Message"],
        "Timestamp": message["Timestamp"],
        "SignatureVersion": message["SignatureVersion"],
        "Signature": message["Signature"],
        "SigningCertUrl": message["SigningCertURL"],
        "UnsubscribeUrl": message.get("UnsubscribeURL", ""),
        "MessageAttributes": message.get("MessageAttributes") or {},
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": notification,
    }
    return quick_json.encode({"Records": [record]})
