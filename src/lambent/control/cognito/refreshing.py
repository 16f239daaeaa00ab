"""Users stay signed in: new tokens for a refresh token, until it ends or is revoked.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
"""

from collections.abc import Mapping

from lambent.control.cognito.accounts import check_account
from lambent.control.cognito.attempt import Attempt
from lambent.control.cognito.errors import invalid, not_authorized
from lambent.control.cognito.finishing import Finishing
from lambent.control.cognito.pool import Client, Params, require_client
from lambent.control.cognito.tokens import Tokens, is_revoked
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.store.store import Store


class Refreshing:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, tokens: Tokens, finishing: Finishing) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._finishing = finishing

    async def get_tokens(self, params: Params, _: str) -> Params:
        """GetTokensFromRefreshToken."""
        client = await self._client(params)
        client.check_secret(params.get("ClientSecret"))
        given = {"REFRESH_TOKEN": params["RefreshToken"]}
        made = await self.refresh(client, given, params.get("ClientMetadata"), is_by_secret=True)
        return {"AuthenticationResult": made["AuthenticationResult"]}

    async def revoke(self, params: Params, _: str) -> Params:
        """RevokeToken."""
        client = await self._client(params)
        try:
            client.check_secret(params.get("ClientSecret"))
        except ApiError as error:
            raise ApiError("UnauthorizedException", "Invalid client secret") from error
        await self._tokens.revoke(client, params["Token"])
        return {}

    async def refresh(
        self,
        client: Client,
        given: Params,
        client_metadata: Mapping[str, str] | None,
        *,
        is_by_secret: bool = False,
    ) -> Params:
        """New tokens. With `is_by_secret` the client has shown its secret. Raises `ApiError`."""
        if "REFRESH_TOKEN" not in given:
            raise invalid("Missing required parameter REFRESH_TOKEN")
        refresh, now = self._tokens.read_refresh(client, given["REFRESH_TOKEN"]), self._clock.now()
        key = refresh.user
        user = await self._store.read(lambda tx: tx.pool_users.get(client.pool.id, key))
        if user is None or user.document["attributes"]["sub"] != refresh.sub:
            raise not_authorized("Invalid Refresh Token")
        if is_revoked(user, refresh.sign_in, refresh.jti, now):
            raise not_authorized("Refresh Token has been revoked")
        names = (user.document["username"], refresh.sub)
        if not is_by_secret:
            client.check_hash(given.get("SECRET_HASH"), *names)
        check_account(user)
        attempt = Attempt(client, user, names[0], "", client_metadata)
        result = dict(
            await self._finishing.tokens(
                attempt, user, refresh.sign_in, "TokenGeneration_RefreshTokens"
            )
        )
        if client.rotates:
            grace_s = (client.body["RefreshTokenRotation"]).get("RetryGracePeriodSeconds", 0)
            await self._tokens.revoke_one(client, refresh, refresh.jti, grace_s=grace_s)
            result["RefreshToken"] = self._tokens.refresh_token(client, user, refresh.sign_in)
        return {"ChallengeParameters": {}, "AuthenticationResult": result}

    async def _client(self, params: Params) -> Client:
        return await self._store.read(lambda tx: require_client(tx, params["ClientId"]))
