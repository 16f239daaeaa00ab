"""A request for a backend, its response, and how it fails."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

FailureType = Literal[
    "API_CONFIGURATION_ERROR",
    "BAD_REQUEST_PARAMETERS",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
]
"""As API Gateway calls its responses to such failures."""


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
