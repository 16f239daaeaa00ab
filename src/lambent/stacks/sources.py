"""Where templates and policies come from: the request, or an object of S3."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from lambent.identity.authorizer import Caller
from lambent.model.errors import ApiError
from lambent.stacks.ports import AwsApi

BODY_BYTES_MAX: Final = 51_200
URL_BYTES_MAX: Final = 1_000_000
_S3_LABEL: Final = re.compile(r"s3(?:-[a-z0-9-]+)?")


async def read_source(
    api: AwsApi, caller: Caller, params: Mapping[str, Any], body: str, url: str
) -> str | None:
    """The text that an input has in the member `body` or behind the URL in `url`; None if it has
    neither. Raises `ValidationError`."""
    text, address = params.get(body), params.get(url)
    if text is not None and address is not None:
        raise invalid(f"Only one of {body} and {url} may be given.")
    if text is not None:
        if len(text.encode()) > BODY_BYTES_MAX:
            raise invalid(
                f"1 validation error detected: Value at '{body[0].lower()}{body[1:]}' failed to"
                " satisfy constraint: Member must have length less than or equal to"
                f" {BODY_BYTES_MAX}"
            )
        return str(text)
    return None if address is None else await fetch_text(api, caller, address, url)


def parse_s3_url(url: str) -> tuple[str, str, str | None]:
    """Bucket, key and version of an object's URL, with the bucket in the host name or in the path.
    The host may be AWS's or that of another S3. Raises `ValueError`."""
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    labels = (parts.hostname or "").split(".")
    at = next((at for at, label in enumerate(labels) if _S3_LABEL.fullmatch(label)), 0)
    if parts.scheme == "s3":
        bucket, key = parts.netloc, path
    elif at:
        bucket, key = ".".join(labels[:at]), path
    else:
        bucket, _, key = path.partition("/")
    if parts.scheme not in ("http", "https", "s3") or not bucket or not key:
        raise ValueError(url)
    return bucket, key, parse_qs(parts.query).get("versionId", [None])[0]


async def fetch_text(api: AwsApi, caller: Caller, address: str, member: str) -> str:
    """The text of an object of S3; `member` has its URL. Raises `ValidationError`."""
    try:
        bucket, key, version = parse_s3_url(address)
    except ValueError:
        raise invalid(f"{member} must be a supported URL.") from None
    # A byte more than is allowed shows that there are too many.
    wanted = {"Bucket": bucket, "Key": key, "Range": f"bytes=0-{URL_BYTES_MAX}"}
    if version:
        wanted["VersionId"] = version
    try:
        found = (await api.call("s3", "GetObject", wanted, caller))["Body"]
    except ApiError as error:
        raise invalid(f"S3 error: {error.message}") from error
    if len(found) > URL_BYTES_MAX:
        raise invalid(f"Template may not exceed {URL_BYTES_MAX} bytes in size.")
    try:
        return bytes(found).decode()
    except UnicodeDecodeError:
        raise invalid("Template format error: unsupported structure.") from None


def invalid(message: str) -> ApiError:
    """400 `ValidationError`."""
    return ApiError("ValidationError", message)
