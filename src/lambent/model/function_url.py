"""Function URLs, as values."""

import dataclasses
import secrets
import string
from collections.abc import Mapping
from typing import Any

from lambent.model.function import LATEST, FunctionKey

PATH_PREFIX = "/_lambent/url/"
"""Where a URL is reached by path: the id follows, then the path."""

_LETTERS = string.ascii_lowercase + string.digits


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrl:
    """A function, or an alias of it, that can be reached over plain HTTP."""

    key: FunctionKey
    qualifier: str
    """An alias, or `$LATEST` for the function itself."""
    id: str
    """32 lower-case letters and digits: the first label of the host name."""
    auth_type: str
    """`NONE` or `AWS_IAM`."""
    invoke_mode: str | None = None
    """`BUFFERED` or `RESPONSE_STREAM`, if anyone said so; else it is buffered."""
    cors: Mapping[str, Any] | None = None
    """`Cors` of the API."""
    created: str
    modified: str
    """ISO 8601."""

    @property
    def arn(self) -> str:
        """The function's ARN, qualified by the alias."""
        return self.key.arn if self.qualifier == LATEST else f"{self.key.arn}:{self.qualifier}"

    def address(self, *, scheme: str, domain: str, port: str) -> str:
        """Where it is reached: `https://<id>.lambda-url.<region>.<domain>/`."""
        host = f"{self.id}.lambda-url.{self.key.region}.{domain}"
        return f"{scheme}://{host}{':' + port if port else ''}/"


def new_url_id() -> str:
    """A new id."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))
