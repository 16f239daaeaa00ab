"""A request for a backend, its response, and how it fails."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

FailureType = Literal[
    "API_CONFIGURATION_ERROR",
    "BAD_REQUEST_PARAMETERS",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
]
"""As API Gateway calls its responses to such failures."""
_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Prepared(NamedTuple):
    """The request for a backend, as templates and mappings have made it."""

    body: bytes
    parameters: Mapping[str, Mapping[str, str]]
    """By `header`, `querystring` and `path`."""
    content_type: str

    def header(self, name: str) -> str | None:
        """The value of a mapped header, in any case of its name; None if there is none."""
        found = None
        for key, value in self.parameters["header"].items():
            if key.lower() == name:
                found = value
        return found


def path_value(path: Mapping[str, str], name: str, *, safe: str) -> str:
    """The value of a variable of a URI's path, encoded: values from the client's path are already,
    others are not. Raises `BackendError` for one that is missing, or would lead out of the path."""
    value = path.get(name)
    if value is None:
        raise BackendError(
            "API_CONFIGURATION_ERROR", f"Nothing is mapped to the variable {name[:100]!r}."
        )
    if any(segment in (".", "..") for segment in re.split(r"[/\\]", unquote(value))):
        raise BackendError("BAD_REQUEST_PARAMETERS", f"The path {value[:100]!r} leads elsewhere.")
    return quote(_NOT_ENCODED.sub("%25", value), safe=f"{safe}%")


class BackendResponse(NamedTuple):
    """What a backend returned."""

    status: int
    headers: Mapping[str, Sequence[str]]
    """By lower-case name."""
    body: bytes


class BackendError(Exception):
    """There is no response of a backend. The text is for logs."""

    def __init__(self, type: FailureType, detail: str) -> None:
        super().__init__(detail)
        self.type = type
