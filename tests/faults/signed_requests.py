"""Signed requests without a client, which would retry them and take more of the processor."""

import http.client
from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.faults.machine import PORT


def request_signed(
    keys: Mapping[str, str],
    address: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    timeout_s: float,
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send a request of the owner of `keys`; returns the response and its body. Raises OSError and
    HTTPException."""
    url = f"http://{address}:{PORT}{path}"
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers or {}))
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(address, PORT, timeout=timeout_s)
    try:
        connection.request(method, path, body, dict(request.headers.items()))
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def signed_get(keys: Mapping[str, str], address: str, path: str) -> bytes:
    """The body of a page."""
    return request_signed(keys, address, "GET", path, timeout_s=5)[1]
