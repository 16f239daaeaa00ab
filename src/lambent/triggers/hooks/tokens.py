"""Hooks whose callers send a secret as it is: in a header, or in the query.

Where a kind does not say where, a secret is accepted as `Authorization: Bearer …`, as MinIO and
CloudEvents' senders send it, as the password of `Authorization: Basic …`, as Ceph does, and as
`?access_token=…`, for senders that take nothing but an address.
"""

import base64
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from lambent.triggers.hooks.kind import (
    HookRefused,
    HookRequest,
    Received,
    is_any_of,
    require_method,
)
from lambent.triggers.hooks.requests import event_of, received
from lambent.triggers.url_response import UrlResponse

_IN_QUERY = "access_token"
_FIELDS_MAX = 256
_METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")


def require_token(request: HookRequest) -> None:
    """Raises `HookRefused` (401) if a request has none of the hook's secrets in any usual place."""
    secrets = request.hook.secrets_at(request.now)
    if not any([is_any_of(given, secrets) for given in _given(request)]):
        raise _refusal()


def _given(request: HookRequest) -> Iterator[str]:
    header = request.exchange.headers.get("authorization", "")
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        yield rest.strip()
    elif scheme.lower() == "basic":
        yield _password(rest.strip())
    elif header:
        yield header
    yield from _in_query(request, _IN_QUERY)


def _password(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("latin-1").partition(":")[2]
    except ValueError:
        return ""


def _in_query(request: HookRequest, name: str) -> list[str]:
    try:
        fields = parse_qsl(request.exchange.query, max_num_fields=_FIELDS_MAX, encoding="latin-1")
    except ValueError:
        return []
    return [value for key, value in fields if key == name]


def _refusal() -> HookRefused:
    return HookRefused(401, "The token is missing or not valid.")


async def receive(request: HookRequest) -> Received | UrlResponse:
    """See `Receive`. A hook says where the token is: `bearer`, `header:NAME` or `query:NAME`."""
    require_method(request, *(_METHODS if request.hook.bus is None else ("POST",)))
    where, _, name = request.hook.options.get("token_in", "bearer").partition(":")
    headers: Mapping[str, str] = request.exchange.headers
    query = request.exchange.query
    if where == "query":
        given = _in_query(request, name)
        query = "&".join(field for field in query.split("&") if field.partition("=")[0] != name)
    else:
        name = name.lower() or "authorization"
        text = headers.get(name, "")
        if where == "bearer":
            scheme, _, text = text.partition(" ")
            text = text.strip() if scheme.lower() == "bearer" else ""
        given = [text]
    secrets = request.hook.secrets_at(request.now)
    if not any([is_any_of(each, secrets) for each in given]):
        raise _refusal()
    # The function gets no secret.
    shown = {key: value for key, value in headers.items() if where == "query" or key != name}
    return await received(request, lambda: event_of(request, shown, query))
