"""`lambent hook`: the platform's own pages for hooks."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lambent.cli.admin_api import request
from lambent.cli.output import UsageError

_PAGES = "/_lambent/hooks"


def create(endpoint: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """Create a hook; returns it with its address and its secret. Raises CliError."""
    body = json.dumps(members).encode()
    return _with_address(endpoint, request(endpoint, "POST", _PAGES, body))


def find_all(endpoint: str) -> list[dict[str, Any]]:
    """All hooks, by name. Raises CliError."""
    found = request(endpoint, "GET", _PAGES)["hooks"]
    return [_with_address(endpoint, hook) for hook in found]


def show(endpoint: str, name: str, *, with_secret: bool) -> dict[str, Any]:
    """A hook. Raises CliError."""
    query = "?secret=true" if with_secret else ""
    return _with_address(endpoint, request(endpoint, "GET", _page(name) + query))


def rotate(endpoint: str, name: str, secret: str | None, grace_s: int) -> dict[str, Any]:
    """Give a hook another secret; returns the hook with it. Raises CliError."""
    members: dict[str, Any] = {"grace_s": grace_s}
    if secret is not None:
        members["secret"] = secret
    body = json.dumps(members).encode()
    return _with_address(endpoint, request(endpoint, "POST", f"{_page(name)}/rotate", body))


def delete(endpoint: str, name: str) -> dict[str, Any]:
    """Delete a hook; returns its name. Raises CliError."""
    return request(endpoint, "DELETE", _page(name))


def options_of(texts: list[str] | None) -> dict[str, Any]:
    """Options as they are typed, NAME=VALUE. What is JSON but no text is taken as JSON. Raises
    UsageError."""
    found: dict[str, Any] = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"cannot use --option {text}: it has the form NAME=VALUE")
        found[name.replace("-", "_")] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except (RecursionError, ValueError):
        return text
    return text if isinstance(value, float | dict) else value


def _page(name: str) -> str:
    return f"{_PAGES}/{quote(name, safe='')}"


def _with_address(endpoint: str, hook: dict[str, Any]) -> dict[str, Any]:
    path = hook.pop("path")
    return {"name": hook.pop("name"), "address": endpoint.rstrip("/") + path, **hook}
