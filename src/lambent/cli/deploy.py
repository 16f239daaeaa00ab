"""`lambent deploy`: a directory becomes a function, or a function's next code."""

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambent.cli.client import is_missing
from lambent.cli.function_file import FunctionFile
from lambent.cli.output import CliError
from lambent.cli.package import pack

ROLE = "arn:aws:iam::000000000000:role/lambent"
"""What functions get that name no role: the platform wants one, and does not use it."""
_WAIT_S = 120
_POLL_S = 0.1


def deploy(
    client: Any, directory: Path, wanted: FunctionFile, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Create or update a function and wait until that is in force; gives its configuration.

    `wanted` has a name, a runtime and a handler; other things it does not say are left as they
    are. Raises `CliError`, and botocore's errors.
    """
    assert wanted.name is not None
    progress("packing")
    package = pack(directory)
    existing = find_function(client, wanted.name)
    if existing is None:
        progress(f"creating {wanted.name} ({len(package):,} bytes)")
        members = {"Role": ROLE, **wanted.configuration()}
        client.create_function(FunctionName=wanted.name, Code={"ZipFile": package}, **members)
        return _ready(client, wanted.name, progress)
    existing = _settle(client, wanted.name, progress)
    if existing["CodeSha256"] != base64.b64encode(hashlib.sha256(package).digest()).decode():
        progress(f"updating the code of {wanted.name} ({len(package):,} bytes)")
        client.update_function_code(FunctionName=wanted.name, ZipFile=package)
        existing = _ready(client, wanted.name, progress)
    if changed := _changed(existing, wanted):
        progress(f"updating the configuration of {wanted.name}")
        client.update_function_configuration(FunctionName=wanted.name, **changed)
    return _ready(client, wanted.name, progress)


def find_function(client: Any, name: str) -> dict[str, Any] | None:
    """A function's configuration, or None. Raises botocore's errors."""
    try:
        found: dict[str, Any] = client.get_function_configuration(FunctionName=name)
    except botocore.exceptions.ClientError as error:
        if is_missing(error):
            return None
        raise
    return found


def _changed(existing: dict[str, Any], wanted: FunctionFile) -> dict[str, Any]:
    """What must be updated."""
    return {
        name: value
        for name, value in wanted.configuration().items()
        if existing.get(name) != value and (value or existing.get(name))
    }


def _settle(client: Any, name: str, progress: Callable[[str], None]) -> dict[str, Any]:
    """Wait until nothing is being changed; whether that went well is told by the result."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        found: dict[str, Any] = client.get_function_configuration(FunctionName=name)
        if found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress":
            return found
        if time.monotonic() > deadline:
            raise CliError(f"{name} is still being prepared after {_WAIT_S} s")
        progress(f"waiting for {name}")
        time.sleep(_POLL_S)  # noqa: TID251 - a poll of another process, on the wall clock


def _ready(client: Any, name: str, progress: Callable[[str], None]) -> dict[str, Any]:
    found = _settle(client, name, progress)
    if found["State"] == "Failed":
        raise CliError(f"{name} cannot be used: {found.get('StateReason', 'no reason given')}")
    if found.get("LastUpdateStatus") == "Failed":
        reason = found.get("LastUpdateStatusReason", "no reason given")
        raise CliError(f"the update of {name} failed: {reason}")
    return found
