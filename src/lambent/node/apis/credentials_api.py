"""The endpoint from which an environment that was restored from a snapshot gets its credentials.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime

from lambent.kit.http.messages import Exchange
from lambent.model.credentials import Credentials
from lambent.node.apis.responses import refuse


class CredentialsApi:
    """Returns one environment's credentials to callers that know its token."""

    def __init__(self, token: str, credentials: Callable[[], Credentials]) -> None:
        self._token = token
        self._credentials = credentials

    def handle(self, exchange: Exchange) -> None:
        """Serve one request to `CREDENTIALS_PATH`."""
        given = exchange.headers.get("authorization", "")
        is_known = hmac.compare_digest(given.encode(), self._token.encode())
        if exchange.method != "GET" or not self._token or not is_known:
            refuse(exchange, 404, "NotFound", "404 page not found")
            return
        credentials = self._credentials()
        expires = datetime.fromtimestamp(credentials.expires_at, UTC)
        document = {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.session_token,
            "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        }
        exchange.respond(200, [("Content-Type", "application/json")], json.dumps(document).encode())
