"""A request for a stage, with what is known around it."""

from binascii import b2a_base64
from typing import NamedTuple, Protocol

from lambent.kit.http.messages import Exchange
from lambent.kit.ids import random_bits
from lambent.triggers.apis.api import Stage


class ApiRequest(NamedTuple):
    """What the front gives the stage."""

    exchange: Exchange
    stage: Stage
    path: str
    """What follows the stage, still percent-encoded; begins with a slash."""
    base_path: str
    """The base path of the custom domain name that the client used: `/orders`; else empty."""
    domain: str
    """The name by which functions can call the API: that of the client if it is a name of ours,
    else `<id>.execute-api.<region>.<domain>`; without a port."""
    request_id: str
    """A UUID; what a function sees as `aws_request_id`."""
    extended_id: str
    """Such as `Mc7UVioPPHcEKPA=`."""
    trace_id: str
    received: float
    """Epoch seconds."""
    trace: "RequestTrace | None" = None
    """Of a sampled request to a stage that is traced."""


class RequestTrace(Protocol):
    """Records a request when it has ended."""

    def end(
        self, request: ApiRequest, resource_path: str, status: int, response_bytes: int
    ) -> None:
        """The request has its response; `status` is 0 if the client had gone."""
        ...


def new_extended_id() -> str:
    """Sixteen characters; the last is `=`."""
    return b2a_base64(random_bits(88).to_bytes(11, "big"), newline=False).decode()
