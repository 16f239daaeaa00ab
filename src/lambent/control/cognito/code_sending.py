"""Codes that users ask for: made, sent, and stored when they are sent."""

from lambent.control.cognito.codes import Codes
from lambent.control.cognito.messages import Messages
from lambent.control.cognito.pool import Client, Params, Pool
from lambent.control.cognito.users import UserEdit, Users
from lambent.store.pool_users import PoolUser
from lambent.store.store import Transaction


class CodeSending:
    """See the module."""

    def __init__(self, users: Users, codes: Codes, messages: Messages) -> None:
        self._users = users
        self._codes = codes
        self._messages = messages

    async def send(
        self,
        pool: Pool,
        user: PoolUser,
        attribute: str,
        source: str,
        purpose: str,
        client: Client | None,
        params: Params,
    ) -> Params:
        """Send a code for a purpose to the address that a user has in an attribute; returns
        `CodeDeliveryDetails`. `source` is that of `Messages.send`. Raises `ApiError`; then an
        earlier code stays good."""
        code, value = self._codes.make(), user.document["attributes"][attribute]
        sent = await self._messages.send(
            *(pool, user, source, attribute, value, code),
            client=client,
            client_metadata=params.get("ClientMetadata"),
        )

        def change(_: Transaction, edit: UserEdit) -> None:
            self._codes.put(edit, purpose, code, attribute, value)

        await self._users.change(pool, user.key, change)
        return sent
