"""API destinations as targets of rules: one HTTP request for each event, with the authorization of
the connection.

Anyone who may configure a destination chooses the address, and the platform makes the connection,
by the rules of `[egress]`: see `triggers.apis.outbound`. Redirects are not followed.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
"""

import base64
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.control.events.api_destinations import require_destination
from lambent.control.events.connections import (
    AUTHORIZED,
    open_parameters,
    require_connection,
)
from lambent.kit.clock import Clock
from lambent.kit.sealing import Sealing
from lambent.model.arn import Arn
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.events.connections import API_KEY, BASIC, INVOCATION
from lambent.model.events.delivery import EventDelivery, Next, NotHandedOver
from lambent.model.events.http_requests import HttpRequest, build
from lambent.model.peers import Peers
from lambent.store.store import Store, Transaction
from lambent.triggers.apis.outbound import Outbound
from lambent.triggers.events.tokens import TokenRefused, Tokens

_DEADLINE_S = 5.0
"""As in AWS."""
_RESPONSE_BYTES_MAX = 1 << 20
_RETRIED = frozenset({401, 407, 409, 429})
"""Statuses below 500 that another attempt may change, as in AWS."""
_WAIT_S_MAX = 5.0
"""How long an event waits for its turn; then it is another attempt."""
_PACED_MAX = 10_000


class ApiDestinationTargets:
    """See the module."""

    def __init__(
        self, store: Store, outbound: Outbound, sealing: Sealing, clock: Clock, peers: Peers
    ) -> None:
        """Each of the nodes, `peers` and this one, sends an equal share of what a destination
        takes."""
        self._peers = peers
        self._store = store
        self._outbound = outbound
        self._sealing = sealing
        self._clock = clock
        self._tokens = Tokens(outbound, clock)
        self._turns: OrderedDict[str, float] = OrderedDict()
        """By destination: when the next request may be sent."""

    async def take(self, delivery: EventDelivery, _now: float) -> Next:
        """Send an event. Raises `ApiError` and `NotHandedOver`."""
        arn = Arn.parse(delivery.target)
        name = arn.resource.split("/")[1]

        def read(tx: Transaction) -> tuple[Body, Body]:
            destination = require_destination(tx, arn.scope, name).body
            connection = Arn.parse(destination["ConnectionArn"]).resource.split("/")[1]
            return destination, require_connection(tx, arn.scope, connection).body

        destination, connection = await self._store.read(read)
        if connection["ConnectionState"] != AUTHORIZED:
            raise ApiError("AccessDeniedException", "The connection is not authorized.", status=403)
        await self._wait_for_turn(delivery.target, destination["InvocationRateLimitPerSecond"])
        auth = open_parameters(self._sealing, destination["ConnectionArn"], connection)
        request = build(
            destination["InvocationEndpoint"],
            destination["HttpMethod"],
            delivery.body,
            delivery.parameters,
            auth.get(INVOCATION),
        )
        kind = connection["AuthorizationType"]
        host = urlsplit(request.url).hostname
        try:
            status = await self._send(await self._authorized(request, kind, auth))
            if status in (401, 407) and kind not in (BASIC, API_KEY):
                # The token may have expired before its time.
                again = await self._authorized(request, kind, auth, is_new=True)
                status = await self._send(again)
        except TokenRefused as error:
            raise NotHandedOver("SDK_CLIENT_ERROR", str(error), is_permanent=False) from error
        except OSError as error:
            text = f"{host} cannot be reached: {error}"
            raise NotHandedOver("SDK_CLIENT_ERROR", text, is_permanent=False) from error
        if 200 <= status < 300:
            return Next()
        is_permanent = status < 500 and status not in _RETRIED
        text = f"{host} responds with {status}"
        raise NotHandedOver("SDK_CLIENT_ERROR", text, is_permanent=is_permanent)

    async def _wait_for_turn(self, target: str, per_second: int) -> None:
        now = self._clock.monotonic()
        turn = max(self._turns.pop(target, now), now)
        if turn - now > _WAIT_S_MAX:
            self._turns[target] = turn
            text = "The destination's rate limit is reached."
            raise NotHandedOver("SDK_CLIENT_ERROR", text, is_permanent=False)
        self._turns[target] = turn + (1 + len(self._peers.numbers())) / per_second
        if len(self._turns) > _PACED_MAX:
            self._turns.popitem(last=False)
        if turn > now:
            await self._clock.sleep(turn - now)

    async def _authorized(
        self, request: HttpRequest, kind: str, auth: Mapping[str, Any], *, is_new: bool = False
    ) -> HttpRequest:
        if kind == BASIC:
            given = auth["BasicAuthParameters"]
            pair = f"{given['Username']}:{given['Password']}".encode()
            more = {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        elif kind == API_KEY:
            given = auth["ApiKeyAuthParameters"]
            more = {given["ApiKeyName"].strip().lower(): given["ApiKeyValue"].strip()}
        else:
            header = await self._tokens.header(auth["OAuthParameters"], is_new=is_new)
            more = {"authorization": header}
        return request._replace(headers={**request.headers, **more})

    async def _send(self, request: HttpRequest) -> int:
        """Returns the status when the response is complete, or long enough. Raises OSError."""
        status, _ = await self._outbound.exchange(
            *request, deadline_s=_DEADLINE_S, bytes_max=_RESPONSE_BYTES_MAX
        )
        return status
