"""Signatures of webhooks: a keyed hash of the body, in a header. Senders differ in where they put
what, so a sender's scheme is data.

| scheme | of | documentation |
|---|---|---|
| `github` | GitHub, Gitea | https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries |
| `stripe` | Stripe | https://docs.stripe.com/webhooks/signature |
| `slack` | Slack | https://api.slack.com/authentication/verifying-requests-from-slack |
| `standard` | Standard Webhooks: Svix, OpenAI, GitLab's signing tokens, … | https://www.standardwebhooks.com |
| `gitlab` | GitLab's secret tokens, which are sent as they are | https://docs.gitlab.com/user/project/integrations/webhooks/ |
"""  # noqa: E501 - addresses

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

ALGORITHMS: Mapping[str, Callable[..., "hashlib._Hash"]] = {
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
ENCODINGS = ("hex", "base64")
TOLERANCE_S = 300.0
"""How far the time of a signature may be from now, unless a hook says otherwise."""
BODY = "{body}"
_PART = re.compile(r"(\{body\}|\{timestamp\}|\{id\})")
_SIGNATURES_MAX = 16
"""A sender that changes its secret signs with the old one and the new one."""
_TIMESTAMP = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,9})?")
_MILLISECONDS = re.compile(r"[0-9]{13}")
_ID_MAX = 256
_WHSEC = "whsec_"


class SignatureInvalid(Exception):
    """A request is not signed as it has to be. The text is for its sender."""


class Scheme(NamedTuple):
    """How a sender signs. Names of headers are in lower case."""

    header: str
    algorithm: str | None = "sha256"
    """A key of `ALGORITHMS`; None if the header has the secret itself."""
    encoding: str = "hex"
    prefix: str = ""
    """What each signature begins with."""
    separator: str = ""
    """Between the parts of the header; empty if it is one signature."""
    signed: str = BODY
    """The signed text, with the places of `{body}`, `{timestamp}` and `{id}`."""
    timestamp_header: str = ""
    timestamp_prefix: str = ""
    """What the part with the time begins with, if it is in the header of the signatures."""
    id_header: str = ""
    is_key_encoded: bool = False
    """Whether the key is what a secret encodes in base64 after `whsec_`."""
    event_type: str = ""
    """What a bus gets as detail-type: `header:NAME`, or the path of a member, such as
    `body:event.type`."""

    @property
    def has_time(self) -> bool:
        """Whether its signatures have a time."""
        return bool(self.timestamp_header or self.timestamp_prefix)


SCHEMES: Mapping[str, Scheme] = {
    "github": Scheme("x-hub-signature-256", prefix="sha256=", event_type="header:x-github-event"),
    "gitlab": Scheme("x-gitlab-token", algorithm=None, event_type="header:x-gitlab-event"),
    "stripe": Scheme(
        "stripe-signature",
        prefix="v1=",
        separator=",",
        signed="{timestamp}.{body}",
        timestamp_prefix="t=",
        event_type="body:type",
    ),
    "slack": Scheme(
        "x-slack-signature",
        prefix="v0=",
        signed="v0:{timestamp}:{body}",
        timestamp_header="x-slack-request-timestamp",
        event_type="body:event.type",
    ),
    "standard": Scheme(
        "webhook-signature",
        encoding="base64",
        prefix="v1,",
        separator=" ",
        signed="{id}.{timestamp}.{body}",
        timestamp_header="webhook-timestamp",
        id_header="webhook-id",
        is_key_encoded=True,
        event_type="body:type",
    ),
}


class Verified(NamedTuple):
    """A request that the holder of a secret has signed."""

    key: bytes
    """The same for a copy of the request, and for no other."""
    signed_at: float | None
    """Epoch seconds; None if the scheme has no time."""


def verify(
    scheme: Scheme,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
    tolerance_s: float,
) -> Verified:
    """Check a signature in constant time. Raises `SignatureInvalid`."""
    given = headers.get(scheme.header, "")
    if not given:
        raise SignatureInvalid(f"The request has no header {scheme.header}.")
    parts = (
        [part.strip() for part in given.split(scheme.separator)] if scheme.separator else [given]
    )
    signatures = [
        part.removeprefix(scheme.prefix) for part in parts if part.startswith(scheme.prefix)
    ][:_SIGNATURES_MAX]
    if scheme.algorithm is not None and scheme.encoding == "hex":
        signatures = [signature.lower() for signature in signatures]
    timestamp = _timestamp(scheme, headers, parts)
    message_id = headers.get(scheme.id_header, "") if scheme.id_header else ""
    if scheme.id_header and not 0 < len(message_id) <= _ID_MAX:
        raise SignatureInvalid(f"The request has no valid header {scheme.id_header}.")
    expected = [_sign(scheme, secret, body, timestamp, message_id) for secret in secrets]
    # All are compared, whichever fits.
    fits = [
        hmac.compare_digest(signature.encode("latin-1", "replace"), each)
        for signature in signatures
        for each in expected
    ]
    if not any(fits):
        raise SignatureInvalid("The signature is not valid.")
    signed_at = None
    if scheme.has_time:
        signed_at = _seconds(timestamp)
        if abs(now - signed_at) > tolerance_s:
            raise SignatureInvalid("The signature is too old, or from the future.")
    return Verified(_key(scheme, expected[fits.index(True) % len(expected)], message_id), signed_at)


def _key(scheme: Scheme, signature: bytes, message_id: str) -> bytes:
    text = message_id.encode() if scheme.id_header else signature
    return hashlib.sha256(text).digest()[:16]


def _timestamp(scheme: Scheme, headers: Mapping[str, str], parts: Sequence[str]) -> str:
    """The time as it is written, which is how it is signed."""
    if not scheme.has_time:
        return ""
    text = headers.get(scheme.timestamp_header, "")
    if scheme.timestamp_prefix:
        prefix = scheme.timestamp_prefix
        text = next((part.removeprefix(prefix) for part in parts if part.startswith(prefix)), "")
    if _TIMESTAMP.fullmatch(text) is None and _MILLISECONDS.fullmatch(text) is None:
        raise SignatureInvalid("The request has no valid time of its signature.")
    return text


def _seconds(text: str) -> float:
    return float(text) / 1000 if _MILLISECONDS.fullmatch(text) else float(text)


def _sign(scheme: Scheme, secret: str, body: bytes, timestamp: str, message_id: str) -> bytes:
    """The signature, as it has to be in the header."""
    if scheme.algorithm is None:
        return secret.encode()
    digest = hmac.new(key_of(scheme, secret), digestmod=ALGORITHMS[scheme.algorithm])
    values = {"{timestamp}": timestamp, "{id}": message_id}
    for part in _PART.split(scheme.signed):
        digest.update(body if part == BODY else values.get(part, part).encode("latin-1", "replace"))
    if scheme.encoding == "base64":
        return base64.b64encode(digest.digest())
    return digest.hexdigest().encode()


def key_of(scheme: Scheme, secret: str) -> bytes:
    """The key that a secret stands for. Raises ValueError if it stands for none."""
    if not scheme.is_key_encoded:
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_WHSEC), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is not base64") from error
