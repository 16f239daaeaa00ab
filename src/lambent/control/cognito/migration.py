"""Users of another directory, whom a UserMigration function knows: they are added when they sign in
with their password, or have forgotten it.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-migrate-user.html
"""

from collections.abc import Mapping

from lambent.control.cognito import schema
from lambent.control.cognito.passwords import make_verifier
from lambent.control.cognito.pool import Client
from lambent.control.cognito.sign_up import SignUp, named
from lambent.control.cognito.triggers import Triggers, metadata, texts, unrecognizable
from lambent.control.cognito.users import CONFIRMED, RESET_REQUIRED, Users
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser


class Migration:
    """See the module."""

    def __init__(self, users: Users, triggers: Triggers, sign_up: SignUp) -> None:
        self._users = users
        self._triggers = triggers
        self._sign_up = sign_up

    async def migrate(
        self,
        client: Client,
        name: str,
        password: str | None,
        source: str,
        client_metadata: Mapping[str, str] | None,
    ) -> PoolUser | None:
        """The user as the pool's function describes it, stored; None if it knows none. Without a
        password the user has forgotten it. Raises `ApiError`."""
        pool = client.pool
        try:
            answer = await self._triggers.ask(
                pool,
                "UserMigration",
                source,
                name,
                {
                    "password": password,
                    "validationData": dict(client_metadata) if client_metadata else None,
                    "userAttributes": None,
                    **metadata(client_metadata),
                },
                client=client,
            )
        except ApiError as error:
            if error.code == "UserLambdaValidationException":
                # The function says so of users it does not know, or whose password is wrong.
                return None
            raise
        if answer is None or answer.get("userAttributes") is None:
            return None
        found = texts(answer["userAttributes"])
        given = found.pop("username", name)
        attributes = {key: value for key, value in found.items() if key != "sub"}
        is_reset = answer.get("finalUserStatus") == RESET_REQUIRED or password is None
        if len(given) > 128 or not given:
            raise unrecognizable()
        attributes = named(pool, given, attributes)
        schema.check_values(pool.body["SchemaAttributes"], attributes)
        edit = self._users.new(pool, given, attributes, RESET_REQUIRED if is_reset else CONFIRMED)
        edit.force_alias = answer.get("forceAliasCreation") is True
        if not is_reset and password is not None:
            username = edit.document["username"]
            edit.secrets |= (await make_verifier(pool.short_name, username, password)).to_document()
        return await self._sign_up.add(edit)
