"""`lambent deploy`: creates or updates a function from a directory."""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.exceptions

from lambent.cli.bucket import OpenBucket
from lambent.cli.build import Source, make_package
from lambent.cli.client import is_missing
from lambent.cli.function_file import FunctionFile
from lambent.cli.output import CliError

ROLE = "arn:aws:iam::000000000000:role/lambent"
"""For functions without a role in their file: the API requires one, and a relaxed platform does not
use it."""
DIRECT_BYTES_MAX = 50 << 20
"""Maximum size of a package in a request, as in AWS; a larger one is uploaded to a bucket."""
_WAIT_S = 120
_POLL_S = 0.1


def deploy(
    client: Any,
    open_bucket: OpenBucket,
    directory: Path,
    wanted: FunctionFile,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Create or update a function and wait until it is active. Returns its configuration.

    `wanted` has a name, a runtime and a handler; other members that are None stay unchanged. A
    package that is too large for a request is uploaded to S3. Raises `UsageError` if the package
    has no such handler, `CliError` and botocore's errors.
    """
    assert wanted.name is not None
    progress("packing")
    package = make_package(source_of(directory, wanted), progress)
    existing = find_function(client, wanted.name)
    if existing is None:
        progress(f"creating {wanted.name} ({len(package):,} bytes)")
        members = {"Role": ROLE, **wanted.configuration()}
        with sent(open_bucket, wanted.name, package) as code:
            client.create_function(FunctionName=wanted.name, Code=code, **members)
        return _ready(client, wanted.name, progress)
    existing = _settle(client, wanted.name, progress)
    if existing["CodeSha256"] != base64.b64encode(hashlib.sha256(package).digest()).decode():
        progress(f"updating the code of {wanted.name} ({len(package):,} bytes)")
        with sent(open_bucket, wanted.name, package) as code:
            client.update_function_code(FunctionName=wanted.name, **code)
        existing = _ready(client, wanted.name, progress)
    if changed := _changed(existing, wanted):
        progress(f"updating the configuration of {wanted.name}")
        client.update_function_configuration(FunctionName=wanted.name, **changed)
    return _ready(client, wanted.name, progress)


def source_of(directory: Path, wanted: FunctionFile) -> Source:
    """What is packed for a function."""
    return Source(wanted.name or "", directory, wanted.runtime or "", wanted.handler or "")


@contextmanager
def sent(open_bucket: OpenBucket, name: str, package: bytes) -> Iterator[dict[str, Any]]:
    """The `Code` member of a request: the bytes themselves, or an object in S3 that exists for the
    duration of the request. Raises `CliError` if the object cannot be written."""
    if len(package) <= DIRECT_BYTES_MAX:
        yield {"ZipFile": package}
        return
    key = f"{name}-{hashlib.sha256(package).hexdigest()}.zip"
    with open_bucket() as bucket:
        uploaded = bucket.upload(key, package)
        try:
            yield {"S3Bucket": uploaded, "S3Key": key}
        finally:
            bucket.remove(key)


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
    """The members of the configuration that differ."""
    return {
        name: value
        for name, value in wanted.configuration().items()
        if existing.get(name) != value and (value or existing.get(name))
    }


def _settle(client: Any, name: str, progress: Callable[[str], None]) -> dict[str, Any]:
    """Wait until no change is in progress; the returned configuration says whether it succeeded."""
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
