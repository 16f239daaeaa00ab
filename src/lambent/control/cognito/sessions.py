"""Sessions of challenges: what a client returns with its answer. Each takes one answer."""

import uuid
from collections.abc import Mapping
from typing import Any

from lambent.control.cognito.errors import not_authorized
from lambent.control.cognito.pool import Client
from lambent.control.cognito.sealing import Sealer
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.store.store import Store

_SESSION_MAX = 4096


class Sessions:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer

    def make(self, client: Client, kind: str, value: Mapping[str, Any]) -> str:
        """A session with what the next step needs. Raises `InvalidLambdaResponseException` if that
        is more than a client can send."""
        text = self._sealer.seal(
            f"session {kind}",
            {
                **value,
                "id": str(uuid.uuid4()),
                "client": client.id,
                "pool": client.pool.id,
                "ends_at": self._clock.now() + client.session_s,
            },
        )
        if len(text) > _SESSION_MAX:
            raise ApiError(
                "InvalidLambdaResponseException",
                "The parameters of the challenge are too long for a session.",
            )
        return text

    def read(self, client: Client, kind: str, text: str | None) -> Mapping[str, Any]:
        """What `make` got. Raises `NotAuthorizedException`."""
        value = self.open(kind, text)
        if (value["client"], value["pool"]) != (client.id, client.pool.id):
            raise not_authorized("Invalid session for the user.")
        return value

    def open(self, kind: str, text: str | None) -> Mapping[str, Any]:
        """What `make` got, for the client and the pool that it names: `client`, `pool`. Raises
        `NotAuthorizedException`."""
        value = self._sealer.open(f"session {kind}", text or "")
        if value is None:
            raise not_authorized("Invalid session for the user.")
        if value["ends_at"] <= self._clock.now():
            raise not_authorized("Invalid session for the user, session is expired.")
        return value

    async def use_up(self, session: Mapping[str, Any]) -> None:
        """Note that a session has its answer. Raises `NotAuthorizedException` if it had one."""
        id, ends_at, now = session["id"], session["ends_at"], self._clock.now()
        is_first = await self._store.transact(
            lambda tx: tx.pool_users.note_answer(id, now=now, ends_at=ends_at)
        )
        if not is_first:
            raise not_authorized("Invalid session for the user, session can only be used once.")
