"""Tokens: what they say, how long they are valid, and who revokes them."""

import base64
import hmac
from typing import Any

import jwt
import pytest

from lambent.control.cognito.software_tokens import password_of
from lambent.triggers.apis.authorizers.keys import read_keys
from lambent.triggers.apis.authorizers.tokens import TokenRules, read_claims, read_head

from .world import ADDRESS, FUNCTION, HERE, PASSWORD, World, claims_of, refused

pytestmark = pytest.mark.anyio


async def test_claims(world: World) -> None:
    """Exactly these, and authorizers of APIs verify them with the pool's published key."""
    pool = await world.pool()
    client = await world.client(pool, AccessTokenValidity=2, RefreshTokenValidity=1)
    await world.user(pool, "ann", email="ann@example.com", email_verified="true")
    for name, precedence, role in (("staff", 5, "staff"), ("admins", 1, "admin")):
        await world.rooms.groups.create(
            HERE,
            {
                "UserPoolId": pool,
                "GroupName": name,
                "Precedence": precedence,
                "RoleArn": f"arn:aws:iam::111111111111:role/{role}",
            },
        )
        await world.rooms.groups.add_user(
            HERE, {"UserPoolId": pool, "GroupName": name, "Username": "ann"}
        )
    made = await world.sign_in(client, "ann")
    assert (made["TokenType"], made["ExpiresIn"]) == ("Bearer", 7200)
    id, access = claims_of(made["IdToken"]), claims_of(made["AccessToken"])
    now, issuer = int(world.clock.now()), f"https://cognito-idp.us-east-1.amazonaws.com/{pool}"
    common = {
        "sub": id["sub"],
        "iss": issuer,
        "cognito:groups": ["admins", "staff"],
        "origin_jti": id["origin_jti"],
        "event_id": id["event_id"],
        "auth_time": now,
        "iat": now,
    }
    roles = [f"arn:aws:iam::111111111111:role/{name}" for name in ("admin", "staff")]
    assert id == {
        **common,
        "aud": client,
        "token_use": "id",
        "exp": now + 3600,
        "jti": id["jti"],
        "email": "ann@example.com",
        "email_verified": True,
        "cognito:username": "ann",
        "cognito:roles": roles,
        "cognito:preferred_role": roles[0],
    }
    assert access == {
        **common,
        "client_id": client,
        "token_use": "access",
        "exp": now + 7200,
        "jti": access["jti"],
        "username": "ann",
        "scope": "aws.cognito.signin.user.admin",
    }
    published = await world.rooms.keys.jwks(pool)
    assert published is not None
    keys = read_keys(published)
    head = read_head(made["IdToken"])
    key = keys[head.key_id]
    assert read_claims(made["IdToken"], head, key, TokenRules(issuer, None), now + 1) == id
    assert await world.rooms.keys.jwks("us-east-1_nobody") is None


async def test_a_token_ends(world: World) -> None:
    """Access after an hour, refresh after its days; a refresh makes it no longer."""
    pool = await world.pool()
    client = await world.client(pool, RefreshTokenValidity=1)
    await world.user(pool, "ann")
    made = await world.sign_in(client, "ann")
    world.clock.advance(3601)
    code, message = await refused(
        world.rooms.own_account.get({"AccessToken": made["AccessToken"]}, ADDRESS)
    )
    assert (code, message) == ("NotAuthorizedException", "Access Token has expired")
    again = await world.refresh(client, made["RefreshToken"])
    assert "RefreshToken" not in again
    before, after = claims_of(made["IdToken"]), claims_of(again["IdToken"])
    assert (after["auth_time"], after["origin_jti"]) == (before["auth_time"], before["origin_jti"])
    assert after["iat"] == before["iat"] + 3601
    world.clock.advance(86_400)
    code, message = await refused(world.refresh(client, made["RefreshToken"]))
    assert message == "Refresh Token has expired"


async def test_tokens_of_others(world: World) -> None:
    """Changed, of another client, pool or kind, of a deleted user who has the same name again."""
    pool, other_pool = await world.pool(), await world.pool()
    client, other = await world.client(pool), await world.client(other_pool)
    await world.user(pool, "ann")
    made = await world.sign_in(client, "ann")
    invalid = ("NotAuthorizedException", "Invalid Refresh Token")
    token = made["RefreshToken"]
    for where, text in (
        (other, token),
        (await world.client(pool), token),
        (client, token[:-4] + "AAA="),
        (client, made["AccessToken"]),
        (client, "A" * 20_000),
        (client, "é"),
    ):
        assert await refused(world.refresh(where, text)) == invalid
    forged = jwt.encode(claims_of(made["AccessToken"]), "secret" * 8, algorithm="HS256")
    unsigned = jwt.encode(claims_of(made["AccessToken"]), None, algorithm="none")
    nested = "eyJhbGciOiJSUzI1NiJ9." + "W1tb" * 3000 + ".AAAA"
    for text in (made["IdToken"], forged, unsigned, nested, "a.b.c", "", "x" * 20_000):
        found = await refused(world.rooms.own_account.get({"AccessToken": text}, ADDRESS))
        assert found == ("NotAuthorizedException", "Invalid Access Token")
    await world.rooms.managed.delete(HERE, {"UserPoolId": pool, "Username": "ann"})
    await world.user(pool, "ann")
    assert await refused(world.refresh(client, token)) == invalid
    found = await refused(
        world.rooms.own_account.get({"AccessToken": made["AccessToken"]}, ADDRESS)
    )
    assert found[0] == "UserNotFoundException"


async def test_signing_out(everywhere: World) -> None:
    """RevokeToken ends one sign-in, GlobalSignOut all before it, a disabled user has none."""
    world = everywhere
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "ann")
    rooms, first, second = world.rooms, *[await world.sign_in(client, "ann") for _ in range(2)]

    def get(made: Any) -> Any:
        return rooms.own_account.get({"AccessToken": made["AccessToken"]}, ADDRESS)

    await rooms.refreshing.revoke({"ClientId": client, "Token": first["RefreshToken"]}, ADDRESS)
    assert (await refused(get(first)))[1] == "Access Token has been revoked"
    revoked = "Refresh Token has been revoked"
    assert (await refused(world.refresh(client, first["RefreshToken"])))[1] == revoked
    assert (await get(second))["Username"] == "ann"
    code, _ = await refused(
        rooms.refreshing.revoke({"ClientId": client, "Token": second["AccessToken"]}, ADDRESS)
    )
    assert code == "UnsupportedTokenTypeException"
    world.clock.advance(0.01)
    await rooms.own_account.sign_out({"AccessToken": second["AccessToken"]}, ADDRESS)
    assert (await refused(world.refresh(client, second["RefreshToken"])))[1] == revoked
    world.clock.advance(0.01)
    third = await world.sign_in(client, "ann")
    assert (await get(third))["Username"] == "ann"
    world.clock.advance(0.01)
    who = {"UserPoolId": pool, "Username": "ann"}
    await rooms.managed.disable(HERE, who)
    assert (await refused(get(third)))[0] == "NotAuthorizedException"
    assert (await refused(world.sign_in(client, "ann")))[1] == "User is disabled."
    await rooms.managed.enable(HERE, who)
    assert "AccessToken" in await world.sign_in(client, "ann")
    assert (await refused(world.refresh(client, third["RefreshToken"])))[1] == revoked


@pytest.mark.slow
async def test_more_revocations_than_are_kept(world: World) -> None:
    """Then all earlier sign-ins are revoked: none comes to life again."""
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "ann")
    first = await world.sign_in(client, "ann")
    refreshing = world.rooms.refreshing
    tokens, live = refreshing._tokens, await refreshing._client({"ClientId": client})
    refresh = tokens.read_refresh(live, first["RefreshToken"])
    world.clock.advance(1)
    for number in range(501):
        await tokens.revoke_one(live, refresh, f"id-{number}")
    code, _ = await refused(world.refresh(client, first["RefreshToken"]))
    assert code == "NotAuthorizedException"


async def test_rotation(world: World) -> None:
    """Each refresh token serves once, and for its grace period."""
    pool = await world.pool()
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}
    client = await world.client(pool, RefreshTokenRotation=rotation, GenerateSecret=False)
    await world.user(pool, "ann")
    made = await world.sign_in(client, "ann")
    code, _ = await refused(world.refresh(client, made["RefreshToken"]))
    assert code == "InvalidParameterException"

    async def rotate(token: str) -> Any:
        found = await world.rooms.refreshing.get_tokens(
            {"ClientId": client, "RefreshToken": token}, ADDRESS
        )
        return found["AuthenticationResult"]

    second = await rotate(made["RefreshToken"])
    world.clock.advance(9)
    assert await rotate(made["RefreshToken"])
    world.clock.advance(2)
    assert (await refused(rotate(made["RefreshToken"])))[0] == "NotAuthorizedException"
    assert await rotate(second["RefreshToken"])


async def test_authenticator_apps(world: World) -> None:
    """A second factor: asked for if the user prefers it; a password serves once."""
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "ann")
    rooms, access = world.rooms, (await world.sign_in(client, "ann"))["AccessToken"]
    code, _ = await refused(rooms.software_tokens.associate({"AccessToken": access}, ADDRESS))
    assert code == "SoftwareTokenMFANotFoundException"
    await rooms.pools.set_mfa(
        HERE,
        {
            "UserPoolId": pool,
            "MfaConfiguration": "OPTIONAL",
            "SoftwareTokenMfaConfiguration": {"Enabled": True},
        },
    )
    made = await rooms.software_tokens.associate({"AccessToken": access}, ADDRESS)
    text = made["SecretCode"]
    secret = base64.b32decode(text + "=" * (-len(text) % 8))

    def password(offset: int = 0) -> str:
        return password_of(secret, int(world.clock.now()) // 30 + offset).decode()

    wrong = {"AccessToken": access, "UserCode": "0000000"}
    code, _ = await refused(rooms.software_tokens.verify(wrong, ADDRESS))
    assert code == "EnableSoftwareTokenMFAException"
    await rooms.software_tokens.verify({"AccessToken": access, "UserCode": password()}, ADDRESS)
    preference = {"SoftwareTokenMfaSettings": {"Enabled": True, "PreferredMfa": True}}
    await rooms.factors.prefer({"AccessToken": access, **preference}, ADDRESS)
    found = await rooms.own_account.get({"AccessToken": access}, ADDRESS)
    assert found["PreferredMfaSetting"] == "SOFTWARE_TOKEN_MFA"
    asked = await world.sign_in(client, "ann")
    assert asked["ChallengeName"] == "SOFTWARE_TOKEN_MFA"

    def answer(asked: Any, text: str) -> Any:
        return rooms.signing_in.respond(
            {
                "ClientId": client,
                "ChallengeName": "SOFTWARE_TOKEN_MFA",
                "Session": asked["Session"],
                "ChallengeResponses": {"USERNAME": "ann", "SOFTWARE_TOKEN_MFA_CODE": text},
            },
            ADDRESS,
        )

    assert (await refused(answer(asked, password())))[0] == "ExpiredCodeException"
    asked = await world.sign_in(client, "ann")
    world.clock.advance(30)
    assert (await refused(answer(asked, password(-5))))[0] == "CodeMismatchException"
    assert "AccessToken" in (await answer(asked, password()))["AuthenticationResult"]
    assert (await refused(answer(asked, password(1))))[0] == "NotAuthorizedException"


async def test_the_secret_of_a_client(world: World) -> None:
    """Each request proves it, for the name it is about."""
    pool = await world.pool()
    client = await world.client(pool, GenerateSecret=True)
    await world.user(pool, "ann")
    shown = await world.rooms.clients.describe(HERE, {"UserPoolId": pool, "ClientId": client})
    secret = shown["UserPoolClient"]["ClientSecret"]

    def hash_of(name: str) -> str:
        digest = hmac.digest(secret.encode(), f"{name}{client}".encode(), "sha256")
        return base64.b64encode(digest).decode()

    def sign_in(**more: str) -> Any:
        given = {"USERNAME": "ann", "PASSWORD": PASSWORD, **more}
        params = {
            "ClientId": client,
            "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": given,
        }
        return world.rooms.signing_in.initiate(params, ADDRESS)

    code, message = await refused(sign_in())
    assert (code, "SECRET_HASH was not received" in message) == ("NotAuthorizedException", True)
    assert (await refused(sign_in(SECRET_HASH=hash_of("bob"))))[0] == "NotAuthorizedException"
    made = (await sign_in(SECRET_HASH=hash_of("ann")))["AuthenticationResult"]
    code, _ = await refused(world.refresh(client, made["RefreshToken"]))
    assert code == "NotAuthorizedException"
    get_tokens = world.rooms.refreshing.get_tokens
    params = {"ClientId": client, "RefreshToken": made["RefreshToken"]}
    assert (await refused(get_tokens(params, ADDRESS)))[0] == "NotAuthorizedException"
    assert await get_tokens({**params, "ClientSecret": secret}, ADDRESS)
    revoke = world.rooms.refreshing.revoke
    given = {"ClientId": client, "Token": made["RefreshToken"]}
    assert (await refused(revoke(given, ADDRESS)))[0] == "UnauthorizedException"


@pytest.mark.parametrize(
    ("details", "is_taken"),
    [
        ({"claimsToAddOrOverride": {"sub": "x", "iss": "x", "exp": "1", "cognito:groups": "x"}}, 1),
        ({"claimsToSuppress": ["sub", "exp", "token_use"]}, 1),
        ({"groupOverrideDetails": {"groupsToOverride": ["g"]}}, 1),
        ({"claimsToAddOrOverride": ["a"]}, 0),
        ({"claimsToAddOrOverride": {"a": {"b": "c"}}}, 0),
        ({"claimsToSuppress": "email"}, 0),
        ({"groupOverrideDetails": {"groupsToOverride": "admins"}}, 0),
        ({"groupOverrideDetails": []}, 0),
        (["a"], 0),
    ],
)
async def test_what_a_function_makes_of_claims(world: World, details: Any, is_taken: bool) -> None:
    """It cannot make a token of another user, pool or time; nonsense is refused."""
    pool = await world.pool(LambdaConfig={"PreTokenGeneration": FUNCTION})
    client = await world.client(pool)
    await world.user(pool, "ann")
    world.answer = lambda event: {"response": {"claimsOverrideDetails": details}}
    if not is_taken:
        code, _ = await refused(world.sign_in(client, "ann"))
        assert code == "InvalidLambdaResponseException"
        return
    claims = claims_of((await world.sign_in(client, "ann"))["IdToken"])
    assert claims["iss"].endswith(pool)
    assert claims["sub"] != "x"
    assert claims["token_use"] == "id"
    assert claims["exp"] > world.clock.now()
    assert claims.get("cognito:groups", ["g"]) == ["g"]
