"""Authorization parameters of connections: which are valid, which are secret, and how an update
changes them.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Parameters = Mapping[str, Any]

BASIC, API_KEY, OAUTH = "BASIC", "API_KEY", "OAUTH_CLIENT_CREDENTIALS"
INVOCATION = "InvocationHttpParameters"
MEMBERS: Mapping[str, str] = {
    BASIC: "BasicAuthParameters",
    API_KEY: "ApiKeyAuthParameters",
    OAUTH: "OAuthParameters",
}
"""By type of authorization: the member that it needs."""
_NEEDED: Mapping[str, Sequence[str]] = {
    BASIC: ("Username", "Password"),
    API_KEY: ("ApiKeyName", "ApiKeyValue"),
    OAUTH: ("AuthorizationEndpoint", "HttpMethod"),
}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,512}", re.ASCII)
_OF_THE_CONNECTION = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding"),
        *("upgrade", "via"),
    }
)
_SECRETS = frozenset({"Password", "ApiKeyValue", "ClientSecret"})
_LISTS = ("HeaderParameters", "QueryStringParameters", "BodyParameters")
_PARAMETERS_MAX = 100
"""Of one list."""


def is_header(name: str) -> bool:
    """Whether a header may be sent by this name; some belong to the connection with the server."""
    return _HEADER.fullmatch(name) is not None and name.lower() not in _OF_THE_CONNECTION


def check(kind: str, given: Parameters) -> None:
    """Raise `ValueError` unless the parameters are those of a type of authorization; the message
    says why."""
    if given.get("ConnectivityParameters"):
        raise ValueError("ConnectivityParameters: there are no private connections here.")
    for other, member in MEMBERS.items():
        if (member in given) is not (other == kind):
            raise ValueError(f"AuthParameters must have {MEMBERS[kind]} and no others.")
    found = given[MEMBERS[kind]]
    missing = [name for name in _NEEDED[kind] if not found.get(name)]
    client = found.get("ClientParameters") or {}
    if kind == OAUTH:
        missing += [name for name in ("ClientID", "ClientSecret") if not client.get(name)]
    if missing:
        raise ValueError(f"{MEMBERS[kind]} must have {missing[0]}.")
    if kind == API_KEY and not is_header(found["ApiKeyName"].strip()):
        raise ValueError("ApiKeyName is not the name of a header that can be sent.")
    for lists in (given.get(INVOCATION) or {}, found.get("OAuthHttpParameters") or {}):
        for name in _LISTS:
            entries = lists.get(name) or ()
            if len(entries) > _PARAMETERS_MAX or not all(entry.get("Key") for entry in entries):
                raise ValueError(f"{name} has at most {_PARAMETERS_MAX} entries, each with a Key.")


def shown(given: Parameters) -> Parameters:
    """The parameters as the API shows them: without secrets."""
    return {
        name: _shown_list(value) if isinstance(value, list) else _shown(value)
        for name, value in given.items()
        if name not in _SECRETS
    }


def _shown(value: Any) -> Any:
    return shown(value) if isinstance(value, Mapping) else value


def _shown_list(entries: Sequence[Parameters]) -> list[Parameters]:
    return [
        {name: value for name, value in entry.items() if name != "Value"}
        if entry.get("IsValueSecret")
        else entry
        for entry in entries
    ]


def merged(before: Parameters, given: Parameters) -> Parameters:
    """What an update leads to: members that it does not have stay as they were."""
    found = dict(before)
    for name, value in given.items():
        old = found.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            value = merged(old, value)
        found[name] = value
    return found


def values(lists: Parameters | None, name: str) -> Mapping[str, str]:
    """A list of parameters by key."""
    entries = (lists or {}).get(name) or ()
    return {entry["Key"]: entry.get("Value", "") for entry in entries}
