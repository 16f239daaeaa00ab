"""Pages of documents. A token is the id behind which the next page starts, encoded."""

import base64
import binascii
import re

from lambent.control.apis.errors import bad_request

_ID = re.compile(r"[\x21-\x7e]{1,256}")


def read_size(text: str | int | None, *, default: int, maximum: int, member: str) -> int:
    """How many documents a page has. Raises `BadRequestException`."""
    if text is None:
        return default
    number = str(text)
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number) > 0):
        raise bad_request(f"Invalid value for {member}: {number[:20]!r} is no positive number.")
    return min(int(number), maximum)


def write_token(id: str) -> str:
    """The token of the page behind this document."""
    return base64.urlsafe_b64encode(id.encode()).decode()


def read_token(token: str | None, member: str) -> str:
    """The id behind which a page starts. Raises `BadRequestException`."""
    if not token:
        return ""
    try:
        after = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        after = ""
    if _ID.fullmatch(after) is None:
        raise bad_request(f"Invalid {member}. Use the one of a previous response.")
    return after
