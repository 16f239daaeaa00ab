"""The platform's own admin API: queues, mappings, runtimes, nodes."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import botocore.awsrequest
import botocore.httpsession
from botocore.auth import SigV4Auth

from lambent.cli.client import open_client
from lambent.cli.output import CliError

_QUEUES = "/_lambent/queues"
_MAPPINGS = "/_lambent/mappings"
_RUNTIMES = "/_lambent/runtimes"
_NODES = "/_lambent/nodes"


def list_queues(endpoint: str, name: str | None) -> list[dict[str, Any]]:
    """Depths of all functions that have events, or of one. Raises CliError."""
    found: list[dict[str, Any]] = request(endpoint, "GET", _path(name))["queues"]
    return found


def purge(endpoint: str, name: str) -> int:
    """Discard the queued events of a function; returns how many. Raises CliError."""
    purged: int = request(endpoint, "DELETE", _path(name))["purged"]
    return purged


def list_mappings(endpoint: str) -> list[dict[str, Any]]:
    """The event source mappings and their state. Raises CliError."""
    found: list[dict[str, Any]] = request(endpoint, "GET", _MAPPINGS)["mappings"]
    return found


def list_nodes(endpoint: str) -> list[dict[str, Any]]:
    """The platforms that share the database. Raises CliError."""
    found: list[dict[str, Any]] = request(endpoint, "GET", _NODES)["nodes"]
    return found


def change_node(endpoint: str, number: int, change: str) -> None:
    """`drain` a node, `resume` or `remove` it. Raises CliError."""
    request(endpoint, "POST", f"{_NODES}/{number}/{change}")


def runtime_hint(endpoint: str, runtime: str) -> str | None:
    """What to install on the platform's machine so that functions of a runtime run there; None if
    they run already, or if the caller may not know."""
    try:
        found: dict[str, str | None] = request(endpoint, "GET", _RUNTIMES)["runtimes"]
    except CliError:
        return None
    return found.get(runtime)


def refuse_missing_runtimes(endpoint: str, runtimes: Iterable[str]) -> None:
    """Raise `CliError` if the platform's machine does not have a runtime; it says how to install
    it."""
    for runtime in sorted(set(runtimes) - {""}):
        if hint := runtime_hint(endpoint, runtime):
            raise CliError(f"{runtime} does not run on the platform's machine yet: {hint}")


def _path(name: str | None) -> str:
    return _QUEUES if name is None else f"{_QUEUES}/{quote(name, safe='')}"


def request(
    endpoint: str, method: str, path: str, body: bytes = b"", *, timeout_s: float = 60
) -> dict[str, Any]:
    """A signed request to the admin API; returns the document. Raises `CliError`."""
    with open_client("lambda", endpoint) as client:
        request = botocore.awsrequest.AWSRequest(method, endpoint.rstrip("/") + path, data=body)
        credentials = client._request_signer._credentials
        SigV4Auth(credentials, "lambda", client.meta.region_name).add_auth(request)
        answer = botocore.httpsession.URLLib3Session(timeout=timeout_s).send(request.prepare())
    try:
        document: dict[str, Any] = json.loads(answer.content)
    except ValueError as error:
        raise CliError(f"cannot understand the answer of {endpoint}: {error}") from error
    if answer.status_code != 200:
        raise CliError(f"{document.get('code')}: {document.get('message')}")
    return document
