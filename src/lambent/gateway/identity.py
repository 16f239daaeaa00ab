"""Who calls, and where: read from the signature's scope, which is not verified.

In relaxed mode any key is welcome; a key id of twelve digits is the account it acts in.
"""

import dataclasses
import functools
import re
from urllib.parse import unquote

from lambent.gateway.settings import GatewaySettings
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError
from lambent.model.function import Scope

_CREDENTIAL = re.compile(
    r"Credential=([^/\s,]{1,128})/(\d{8})/([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/aws4_request"
)
_ACCOUNT = re.compile(r"\d{12}")
_TEXT_MAX = 2048


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What a request says of its caller."""

    scope: Scope
    service: str | None
    """The signing name (`lambda`, `logs`, `sts`), or None for an unsigned request."""
    access_key_id: str | None


def identify(exchange: Exchange, settings: GatewaySettings) -> Identity:
    """The identity of a request. Raises `ApiError` if its Authorization cannot be read."""
    text = exchange.headers.get("authorization", "")
    if not text and "X-Amz-Credential=" in exchange.query:
        text = unquote(exchange.query).replace("X-Amz-Credential=", "Credential=")
    if not text:
        return Identity(Scope(settings.account_id, settings.region), None, None)
    return _read_credential(text.partition(",")[0][:_TEXT_MAX], settings.account_id)


@functools.lru_cache(maxsize=1024)
def _read_credential(text: str, default_account: str) -> Identity:
    match = _CREDENTIAL.search(text)
    if match is None:
        raise ApiError(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential' parameter with a scope of the form "
            "key/date/region/service/aws4_request.",
            status=403,
        )
    key_id, _, region, service = match.groups()
    account = key_id if _ACCOUNT.fullmatch(key_id) else default_account
    return Identity(Scope(account, region), service, key_id)
