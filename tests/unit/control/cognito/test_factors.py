"""Second factors: which is asked for, how often an answer may be wrong, and how one is added."""

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from lambent.control.cognito.software_tokens import password_of

from .world import ADDRESS, DATA_KEY, FUNCTION, HERE, KEY_ARN, PASSWORD, World, claims_of, refused

pytestmark = pytest.mark.anyio
SMS = {"SmsMfaConfiguration": {"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::1:role/r"}}}
APP = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
MAIL = {"EmailMfaConfiguration": {"Message": "Code: {####}.", "Subject": "Sign in"}}
SENDER = {"LambdaVersion": "V1_0", "LambdaArn": FUNCTION}
PHONE = {"phone_number": "+4930123456"}


async def a_pool(world: World, mode: str, *factors: Mapping[str, Any]) -> tuple[str, str]:
    """A pool whose text messages a function sends, and a client of it."""
    config = {"CustomSMSSender": SENDER, "KMSKeyID": KEY_ARN}
    pool = await world.pool(LambdaConfig=config)
    params: dict[str, Any] = {"UserPoolId": pool, "MfaConfiguration": mode}
    for factor in factors:
        params |= factor
    await world.rooms.pools.set_mfa(HERE, params)
    return pool, await world.client(pool)


async def answer(world: World, client: str, asked: Any, user: str = "ann", **given: str) -> Any:
    """The response to a challenge."""
    made = await world.rooms.signing_in.respond(
        {
            "ClientId": client,
            "ChallengeName": asked["ChallengeName"],
            "Session": asked["Session"],
            "ChallengeResponses": {"USERNAME": user, **given},
        },
        ADDRESS,
    )
    return made.get("AuthenticationResult", made)


async def prefer(world: World, pool: str, **settings: Any) -> None:
    """Choose the factors of ann."""
    params = {"UserPoolId": pool, "Username": "ann", **settings}
    await world.rooms.factors.prefer_for(HERE, params)


def password(world: World, secret: str, offset: int = 0) -> str:
    """What an authenticator app shows."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return password_of(key, int(world.clock.now()) // 30 + offset).decode()


async def test_a_code_by_mail(world: World) -> None:
    """It is sent after the password, serves once, and not after its session."""
    pool, client = await a_pool(world, "OPTIONAL", MAIL)
    await world.user(pool, "ann", email="ann@example.com", email_verified="true")
    assert "AccessToken" in await world.sign_in(client, "ann")
    await prefer(world, pool, EmailMfaSettings={"Enabled": True, "PreferredMfa": True})
    asked = await world.sign_in(client, "ann")
    assert asked["ChallengeName"] == "EMAIL_OTP"
    assert asked["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"] == "a***@e***"
    assert world.mail.sent[-1][:2] == ("ann@example.com", "Sign in")
    code = world.mail.code()
    refusal = await refused(answer(world, client, asked, EMAIL_OTP_CODE="x"))
    assert refusal[0] == "CodeMismatchException"
    assert "AccessToken" in await answer(world, client, asked, EMAIL_OTP_CODE=code)
    refusal = await refused(answer(world, client, asked, EMAIL_OTP_CODE=code))
    assert refusal[0] == "CodeMismatchException"
    asked = await world.sign_in(client, "ann")
    world.clock.advance(181)
    late = answer(world, client, asked, EMAIL_OTP_CODE=world.mail.code())
    assert await refused(late) == (
        "NotAuthorizedException",
        "Invalid session for the user, session is expired.",
    )


async def test_codes_cannot_be_guessed(world: World) -> None:
    """Five wrong codes in an hour, over all sessions; and so many codes are sent in an hour."""
    pool, client = await a_pool(world, "ON", MAIL)
    await world.user(pool, "ann", email="ann@example.com", email_verified="true")
    for _ in range(5):
        asked = await world.sign_in(client, "ann")
        wrong = answer(world, client, asked, EMAIL_OTP_CODE="abcdef")
        assert (await refused(wrong))[0] == "CodeMismatchException"
    right = answer(world, client, asked, EMAIL_OTP_CODE=world.mail.code())
    assert (await refused(right))[0] == "LimitExceededException"
    for _ in range(15):
        await world.sign_in(client, "ann")
    assert (await refused(world.sign_in(client, "ann")))[0] == "LimitExceededException"
    assert len(world.mail.sent) == 20
    world.clock.advance(3601)
    asked = await world.sign_in(client, "ann")
    assert "AccessToken" in await answer(world, client, asked, EMAIL_OTP_CODE=world.mail.code())


async def test_everyone_sets_up_an_app(world: World) -> None:
    """A pool that requires a second factor: the password leads to MFA_SETUP and not to tokens, and
    the session of each step serves for the next alone."""
    pool, client = await a_pool(world, "ON", APP)
    await world.user(pool, "ann")
    tokens, asked = world.rooms.software_tokens, await world.sign_in(client, "ann")
    assert asked["ChallengeName"] == "MFA_SETUP"
    assert json.loads(asked["ChallengeParameters"]["MFAS_CAN_SETUP"]) == ["SOFTWARE_TOKEN_MFA"]
    other = await world.sign_in(client, "ann")
    early = await refused(answer(world, client, asked))
    assert early == ("NotAuthorizedException", "Invalid session for the user.")
    made = await tokens.associate({"Session": asked["Session"]}, ADDRESS)
    assert (await refused(answer(world, client, {**asked, **made})))[0] == "NotAuthorizedException"
    wrong = tokens.verify({"Session": made["Session"], "UserCode": "000000"}, ADDRESS)
    assert (await refused(wrong))[0] == "EnableSoftwareTokenMFAException"
    code = password(world, made["SecretCode"])
    done = await tokens.verify({"Session": made["Session"], "UserCode": code}, ADDRESS)
    assert done["Status"] == "SUCCESS"
    access = (await answer(world, client, {**asked, **done}))["AccessToken"]
    shown = await world.rooms.own_account.get({"AccessToken": access}, ADDRESS)
    assert shown["UserMFASettingList"] == ["SOFTWARE_TOKEN_MFA"]
    again = answer(world, client, {**asked, **done})
    assert (await refused(again))[0] == "NotAuthorizedException"
    # A session from before the app was added does not replace it.
    for session in (other["Session"], made["Session"]):
        refusal = await refused(tokens.associate({"Session": session}, ADDRESS))
        assert refusal == ("NotAuthorizedException", "Invalid session for the user.")
    world.clock.advance(60)
    asked = await world.sign_in(client, "ann")
    assert asked["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    code = password(world, made["SecretCode"])
    assert await answer(world, client, asked, SOFTWARE_TOKEN_MFA_CODE=code)


async def test_users_select_a_factor(world: World) -> None:
    """One who has several and prefers none is asked; a preference ends that. A factor that is not
    set up, or that the pool does not offer, cannot be chosen."""
    pool, client = await a_pool(world, "ON", SMS, MAIL)
    addresses = {"email": "ann@example.com", "email_verified": "true", **PHONE}
    await world.user(pool, "ann", **addresses)
    asked = await world.sign_in(client, "ann")
    assert asked["ChallengeName"] == "SELECT_MFA_TYPE"
    can = json.loads(asked["ChallengeParameters"]["MFAS_CAN_CHOOSE"])
    assert can == ["SMS_MFA", "EMAIL_OTP"]
    wrong = answer(world, client, asked, ANSWER="SOFTWARE_TOKEN_MFA")
    assert (await refused(wrong))[0] == "InvalidParameterException"
    asked = await answer(world, client, asked, ANSWER="EMAIL_OTP")
    assert asked["ChallengeName"] == "EMAIL_OTP"
    code = world.mail.code()
    assert "AccessToken" in await answer(world, client, asked, EMAIL_OTP_CODE=code)
    await prefer(world, pool, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    asked = await world.sign_in(client, "ann")
    assert asked["ChallengeName"] == "SMS_MFA"
    arn, event = world.queued[-1]
    assert (arn, event["triggerSource"]) == (FUNCTION, "CustomSMSSender_Authentication")
    for settings in (
        {"SoftwareTokenMfaSettings": {"Enabled": True}},
        {"EmailMfaSettings": {"PreferredMfa": True}},
        {
            "SMSMfaSettings": {"Enabled": True, "PreferredMfa": True},
            "EmailMfaSettings": {"Enabled": True, "PreferredMfa": True},
        },
    ):
        assert (await refused(prefer(world, pool, **settings)))[0] == "InvalidParameterException"


async def test_an_address_is_one_factor(world: World) -> None:
    """A phone that is the second factor is not good for a new password, too."""
    pool, client = await a_pool(world, "ON", SMS)
    await world.user(pool, "ann", phone_number_verified="true", **PHONE)
    forgot = world.rooms.recovery.forgot({"ClientId": client, "Username": "ann"}, ADDRESS)
    assert (await refused(forgot))[0] == "InvalidParameterException"


async def test_a_pool_needs_a_way_to_send(world: World) -> None:
    """Without one, factors are refused when they are configured."""
    pool = await world.pool()
    for params in (
        {"MfaConfiguration": "ON"},
        {"MfaConfiguration": "OPTIONAL", **SMS},
        {"MfaConfiguration": "ON", **APP, "WebAuthnConfiguration": {"RelyingPartyId": "x.org"}},
    ):
        refusal = await refused(world.rooms.pools.set_mfa(HERE, {"UserPoolId": pool, **params}))
        assert refusal[0] == "InvalidParameterException", params
    made = await a_pool(world, "ON", SMS, APP)
    found = await world.rooms.pools.get_mfa(HERE, {"UserPoolId": made[0]})
    assert found == {"MfaConfiguration": "ON", **SMS, **APP}
    sms = SMS["SmsMfaConfiguration"]
    update = {"UserPoolId": made[0], "MfaConfiguration": "ON", **sms}
    refusal = await refused(world.rooms.pools.update(HERE, update))
    assert refusal[0] == "InvalidParameterException", "its sender was removed"


async def test_senders_get_codes_encrypted(world: World) -> None:
    """Nothing else sends; what cannot be encrypted or called is an error of the request."""
    config = {"CustomEmailSender": SENDER, "KMSKeyID": KEY_ARN}
    pool = await world.pool(LambdaConfig=config)
    client = await world.client(pool)
    signing_up = {
        "ClientId": client,
        "Username": "ann",
        "Password": PASSWORD,
        "UserAttributes": [{"Name": "email", "Value": "ann@example.com"}],
    }
    await world.rooms.sign_up.sign_up(signing_up, ADDRESS)
    _, event = world.queued[-1]
    assert event["triggerSource"] == "CustomEmailSender_SignUp"
    assert (event["response"], world.mail.sent, world.events) == ({}, [], [])
    message = base64.b64decode(event["request"]["code"])
    assert message[:3] == b"\x02\x04\x78"
    assert DATA_KEY not in message
    assert world.contexts[-1] == {"userpool-id": pool}
    asked = len(world.contexts)
    hiding = await world.client(pool, PreventUserExistenceErrors="ENABLED")
    await world.rooms.recovery.forgot({"ClientId": hiding, "Username": "none"}, ADDRESS)
    assert (len(world.contexts), len(world.queued)) == (asked + 1, 1), "it takes as long"
    world.uncallable.add(FUNCTION)
    code, text = await refused(world.rooms.sign_up.resend(signing_up, ADDRESS))
    assert (code, "AccessDenied" in text) == ("UnexpectedLambdaException", True)
    wrong = world.pool(LambdaConfig={**config, "KMSKeyID": f"{KEY_ARN}2"})
    assert (await refused(wrong))[0] == "InvalidParameterException"
    for changed in (
        {"LambdaVersion": "V2_0", "LambdaArn": FUNCTION},
        {"LambdaVersion": "V1_0", "LambdaArn": "arn:aws:sqs:us-east-1:1:q"},
        {"LambdaVersion": "V1_0"},
    ):
        wrong = world.pool(LambdaConfig={**config, "CustomEmailSender": changed})
        assert (await refused(wrong))[0] == "InvalidParameterException"


async def test_preferences_of_an_earlier_version(world: World) -> None:
    """A user who has preferred an app, as it was stored before there were other factors."""
    pool, client = await a_pool(world, "OPTIONAL", APP)
    await world.user(pool, "ann")
    access = (await world.sign_in(client, "ann"))["AccessToken"]
    tokens = world.rooms.software_tokens
    made = await tokens.associate({"AccessToken": access}, ADDRESS)
    code = password(world, made["SecretCode"])
    await tokens.verify({"AccessToken": access, "UserCode": code}, ADDRESS)
    assert claims_of(access)["username"] == "ann"
    assert "AccessToken" in await world.sign_in(client, "ann")

    def as_before(tx: Any) -> None:
        user = tx.pool_users.lock(pool, "ann")
        changed = {**user.document, "preferred_mfa": True}
        tx.pool_users.put(dataclasses.replace(user, document=changed), [])

    await world.store.transact(as_before)
    assert (await world.sign_in(client, "ann"))["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    await prefer(world, pool, SoftwareTokenMfaSettings={"Enabled": False})
    assert "AccessToken" in await world.sign_in(client, "ann")
