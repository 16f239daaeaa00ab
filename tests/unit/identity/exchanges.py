"""Requests as the server would hand them over, signed by botocore itself."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET = "AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@dataclasses.dataclass
class FakeExchange:
    """An exchange that keeps its answer."""

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    client_address: str = "127.0.0.1"
    is_secure: bool = False
    is_open: bool = True
    keep_alive: bool = True
    answer: tuple[int, bytes] | None = None

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        self.answer = status, body

    def respond_raw(self, head: bytes, body: bytes) -> None:
        raise AssertionError("nobody answers here in a hurry")

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        raise AssertionError("nobody waits here")


def signed(
    url: str = "http://127.0.0.1:5262/2015-03-31/functions/f/invocations",
    *,
    method: str = "POST",
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    service: str = "lambda",
    token: str | None = None,
    presigned_s: int | None = None,
    secret: str = SECRET,
) -> FakeExchange:
    """A request, signed in its headers or, with `presigned_s`, in its query."""
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers or {}))
    credentials = Credentials(KEY, secret, token)
    auth = (
        SigV4Auth(credentials, service, "us-east-1")
        if presigned_s is None
        else SigV4QueryAuth(credentials, service, "us-east-1", expires=presigned_s)
    )
    auth.add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    lowered = {name.lower(): _text(value) for name, value in prepared.headers.items()}
    return FakeExchange(
        method=method,
        path=parts.path or "/",
        query=parts.query,
        headers={"host": parts.netloc, **lowered},
        body=body,
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
