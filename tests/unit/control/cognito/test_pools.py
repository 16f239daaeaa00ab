"""What pools, clients and attributes may be, and what functions may answer."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.control.cognito import schema
from lambent.control.cognito.passwords import DEFAULT_POLICY, check_policy, random_password
from lambent.model.errors import ApiError

from .world import ADDRESS, FUNCTION, HERE, PASSWORD, World, refused

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "params",
    [
        {"MfaConfiguration": "ON"},
        {"UserPoolAddOns": {"AdvancedSecurityMode": "ENFORCED"}},
        {"Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}},
        {"Policies": {"PasswordPolicy": {"PasswordHistorySize": 3}}},
        {"VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_LINK"}},
        {"DeviceConfiguration": {"ChallengeRequiredOnNewDevice": True}},
        {"LambdaConfig": {"KMSKeyID": "arn:aws:kms:us-east-1:111111111111:key/a"}},
        {"LambdaConfig": {"KMSKeyID": "arn:aws:kms:us-east-1:111111111111:alias/a"}},
        {
            "LambdaConfig": {
                "CustomEmailSender": {"LambdaVersion": "V1_0", "LambdaArn": FUNCTION},
            }
        },
        {"LambdaConfig": {"PreSignUp": "arn:aws:sqs:us-east-1:111111111111:q"}},
        {"AliasAttributes": ["email"], "UsernameAttributes": ["email"]},
        {"Schema": [{"Name": "x", "Required": True}]},
        {"Schema": [{"Name": "x"}, {"Name": "custom:x"}]},
        {"Schema": [{"Name": "email", "AttributeDataType": "Number"}]},
        {
            "Schema": [
                {"Name": "x", "StringAttributeConstraints": {"MinLength": "9" * 5000}},
            ]
        },
        {"Schema": [{"Name": f"a{number}"} for number in range(51)]},
        {
            "AccountRecoverySetting": {
                "RecoveryMechanisms": [
                    {"Name": "admin_only", "Priority": 1},
                    {"Name": "verified_email", "Priority": 2},
                ]
            }
        },
    ],
)
async def test_pools_that_are_refused(world: World, params: Mapping[str, Any]) -> None:
    """With an error that says why; nothing is created."""
    code, message = await refused(world.pool(**params))
    assert code == "InvalidParameterException"
    assert message
    assert (await world.rooms.pools.list(HERE, {"MaxResults": 10}))["UserPools"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"ExplicitAuthFlows": ["ALLOW_USER_AUTH"]},
        {"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ADMIN_NO_SRP_AUTH"]},
        {"SupportedIdentityProviders": ["Google"]},
        {"AccessTokenValidity": 1, "TokenValidityUnits": {"AccessToken": "seconds"}},
        {"RefreshTokenValidity": 3651},
        {"ReadAttributes": ["custom:none"]},
        {"WriteAttributes": ["email_verified"]},
        {"AnalyticsConfiguration": {"ApplicationId": "a"}},
    ],
)
async def test_clients_that_are_refused(world: World, params: Mapping[str, Any]) -> None:
    pool = await world.pool()
    code, _ = await refused(world.client(pool, **params))
    assert code == "InvalidParameterException"


async def test_flows_that_a_client_does_not_allow(world: World) -> None:
    """Each flow needs its setting; those of administrators are not for others."""
    pool = await world.pool()
    none = await world.client(pool, ExplicitAuthFlows=["ALLOW_REFRESH_TOKEN_AUTH"])
    old = await world.client(pool, ExplicitAuthFlows=["USER_PASSWORD_AUTH"])
    await world.user(pool, "ann")
    assert "AccessToken" in await world.sign_in(old, "ann")
    for flow in ("USER_PASSWORD_AUTH", "USER_SRP_AUTH", "CUSTOM_AUTH", "USER_AUTH"):
        params = {
            "ClientId": none,
            "AuthFlow": flow,
            "AuthParameters": {"USERNAME": "ann", "PASSWORD": PASSWORD, "SRP_A": "2"},
        }
        code, _ = await refused(world.rooms.signing_in.initiate(params, ADDRESS))
        assert code == "InvalidParameterException"
    admin = {
        "ClientId": await world.client(pool),
        "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": "ann", "PASSWORD": PASSWORD},
    }
    code, _ = await refused(world.rooms.signing_in.initiate(admin, ADDRESS))
    assert code == "InvalidParameterException"
    made = await world.rooms.signing_in.initiate({**admin, "UserPoolId": pool}, "", HERE)
    assert "AuthenticationResult" in made


async def test_a_stranger_manages_nothing(world: World) -> None:
    """A pool of another account is one that does not exist."""
    pool = await world.pool()
    client = await world.client(pool)
    other = HERE._replace(account="222222222222")
    which = {"UserPoolId": pool, "ClientId": client, "Username": "ann", "GroupName": "g"}
    which |= {"UserAttributeNames": [], "UserAttributes": [], "Password": PASSWORD}
    which |= {"AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "Domain": "d", "Identifier": "i", "Name": "n"}
    rooms = world.rooms
    for use_case in (
        *(rooms.pools.describe, rooms.pools.update, rooms.pools.delete, rooms.pools.get_mfa),
        *(rooms.clients.describe, rooms.clients.update, rooms.clients.delete, rooms.clients.list),
        *(rooms.groups.get, rooms.groups.list, rooms.groups.create, rooms.groups.add_user),
        *(rooms.directory.list_users, rooms.directory.get_user, rooms.managed.create),
        *(rooms.managed.set_password, rooms.managed.delete, rooms.managed.sign_out),
        *(rooms.parts.create_domain, rooms.parts.create_server, rooms.parts.list_servers),
    ):
        code, _ = await refused(use_case(other, which))
        assert code == "ResourceNotFoundException", use_case
    code, _ = await refused(rooms.signing_in.initiate(which, "", other))
    assert code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "no address"),
        ("email", "a@b.c\r\nBcc: x@y.z"),
        ("email", "a" * 65 + "@example.com"),
        ("email", "<a@example.com>"),
        ("phone_number", "123"),
        ("phone_number", "+٣٣"),
        ("birthdate", "1.1.2000"),
        ("email_verified", "yes"),
        ("updated_at", "soon"),
        ("updated_at", "9" * 5000),
        ("custom:none", "a"),
        ("custom:short", "abcdef"),
        ("custom:level", "11"),
    ],
)
def test_values_that_do_not_fit(name: str, value: str) -> None:
    made = schema.schema_of(
        [
            {"Name": "short", "StringAttributeConstraints": {"MaxLength": "5"}},
            {
                "Name": "level",
                "AttributeDataType": "Number",
                "NumberAttributeConstraints": {"MinValue": "-1", "MaxValue": "10"},
            },
        ]
    )
    with pytest.raises(ApiError, match="InvalidParameterException"):
        schema.check_values(made, {name: value})
    schema.check_values(made, {"custom:short": "abcde", "custom:level": "-1"})


def test_passwords() -> None:
    for password in ("Ab1!", "abcdef1!", "ABCDEF1!", "Abcdefg!", "Abcdefg1"):
        with pytest.raises(ApiError, match="did not conform with policy"):
            check_policy(DEFAULT_POLICY, password)
    for _ in range(50):
        check_policy({**DEFAULT_POLICY, "MinimumLength": 20}, random_password(DEFAULT_POLICY) * 2)


async def test_what_a_client_may_read_and_write(world: World) -> None:
    """An app sees and changes what its client may; no app verifies an address by writing it."""
    pool = await world.pool(
        Schema=[{"Name": "role", "Mutable": True}, {"Name": "born", "Mutable": False}]
    )
    client = await world.client(
        pool,
        ReadAttributes=["email", "custom:role"],
        WriteAttributes=["nickname", "custom:born"],
    )
    await world.user(pool, "ann", email="a@example.com", **{"custom:role": "x"})
    access = (await world.sign_in(client, "ann"))["AccessToken"]

    def write(name: str, value: str) -> Any:
        given = [{"Name": name, "Value": value}]
        return world.rooms.own_account.update_attributes(
            {"AccessToken": access, "UserAttributes": given}, ADDRESS
        )

    for name in ("custom:role", "email_verified", "email", "sub"):
        assert (await refused(write(name, "true")))[0] == "NotAuthorizedException"
    await write("nickname", "annie")
    await write("custom:born", "1990")
    assert (await refused(write("custom:born", "1991")))[0] == "InvalidParameterException"
    shown = await world.rooms.own_account.get({"AccessToken": access}, ADDRESS)
    names = [each["Name"] for each in shown["UserAttributes"]]
    assert names == ["sub", "email", "custom:role"]


async def test_an_address_that_waits_to_be_verified(world: World) -> None:
    """The old one stays until the code comes."""
    pool = await world.pool(
        UserAttributeUpdateSettings={"AttributesRequireVerificationBeforeUpdate": ["email"]}
    )
    client = await world.client(pool)
    await world.user(pool, "ann", email="a@example.com", email_verified="true")
    access = (await world.sign_in(client, "ann"))["AccessToken"]
    rooms = world.rooms
    changed = [{"Name": "email", "Value": "b@example.com"}]
    await rooms.own_account.update_attributes(
        {"AccessToken": access, "UserAttributes": changed}, ADDRESS
    )
    assert world.mail.sent[-1][0] == "b@example.com"

    async def email() -> tuple[str, str]:
        found = await rooms.own_account.get({"AccessToken": access}, ADDRESS)
        shown = {each["Name"]: each["Value"] for each in found["UserAttributes"]}
        return shown["email"], shown["email_verified"]

    assert await email() == ("a@example.com", "true")
    code = {"AccessToken": access, "AttributeName": "email", "Code": world.mail.code()}
    await rooms.own_account.verify_attribute(code, ADDRESS)
    assert await email() == ("b@example.com", "true")


async def test_temporary_passwords_end(world: World) -> None:
    pool = await world.pool()
    client = await world.client(pool)
    await world.rooms.managed.create(
        HERE,
        {
            "UserPoolId": pool,
            "Username": "ann",
            "TemporaryPassword": PASSWORD,
            "MessageAction": "SUPPRESS",
        },
    )
    assert (await world.sign_in(client, "ann"))["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    world.clock.advance(7 * 86_400 + 1)
    _, message = await refused(world.sign_in(client, "ann"))
    assert "Temporary password has expired" in message


async def test_text_messages_are_refused(world: World) -> None:
    """With mail configured, a code for a phone is not written to the log: it is refused."""
    pool = await world.pool(AutoVerifiedAttributes=["phone_number"])
    client = await world.client(pool)
    params = {
        "ClientId": client,
        "Username": "ann",
        "Password": PASSWORD,
        "UserAttributes": [{"Name": "phone_number", "Value": "+4912345"}],
    }
    code, _ = await refused(world.rooms.sign_up.sign_up(params, ADDRESS))
    assert code == "CodeDeliveryFailureException"
    which = {"UserPoolId": pool, "Username": "ann"}
    code, _ = await refused(world.rooms.directory.get_user(HERE, which))
    assert code == "UserNotFoundException"


async def test_codes_are_in_the_log_only_without_mail(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await world.pool()
    client = await world.client(pool)

    async def sign_up(name: str) -> None:
        listed = [{"Name": "email", "Value": f"{name[:3]}@example.com"}]
        params = {"ClientId": client, "Username": name, "Password": PASSWORD}
        await world.rooms.sign_up.sign_up({**params, "UserAttributes": listed}, ADDRESS)

    await sign_up("ann")
    assert world.mail.code() not in caplog.text
    assert PASSWORD not in caplog.text
    world.mail.is_configured = False
    await sign_up("bob\nERROR forged")
    (line,) = [each.getMessage() for each in caplog.records if pool in each.getMessage()]
    assert "no cognito.smtp_url is set" in line
    assert "\n" not in line
    assert line[-6:].isdigit()


CHALLENGES = dict.fromkeys(
    ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"), FUNCTION
)


@pytest.mark.parametrize(
    "response",
    [
        *(None, [], "issueTokens", 7, {}, {"challengeName": "PASSWORD_VERIFIER"}),
        *({"challengeName": "SMS_MFA"}, {"issueTokens": "true"}, {"issueTokens": 1}),
        {"challengeName": "CUSTOM_CHALLENGE", "privateChallengeParameters": {"a": {"b": 1}}},
        {"challengeName": "CUSTOM_CHALLENGE", "publicChallengeParameters": ["a"]},
        {"challengeName": "CUSTOM_CHALLENGE", "challengeMetadata": 7},
        {
            "challengeName": "CUSTOM_CHALLENGE",
            "privateChallengeParameters": {str(n): str(n * 7919) for n in range(3000)},
        },
    ],
)
async def test_answers_that_mean_nothing(world: World, response: Any) -> None:
    """Only `true` issues tokens, and no answer makes more than an error."""
    pool = await world.pool(LambdaConfig=CHALLENGES)
    client = await world.client(pool)
    await world.user(pool, "ann")
    world.answer = lambda event: {"response": response}
    params = {
        "ClientId": client,
        "AuthFlow": "CUSTOM_AUTH",
        "AuthParameters": {"USERNAME": "ann"},
    }
    code, _ = await refused(world.rooms.signing_in.initiate(params, ADDRESS))
    assert code == "InvalidLambdaResponseException"


async def test_no_tokens_for_a_name_that_no_user_has(world: World) -> None:
    """Functions that issue tokens to everybody do not to a name that no user has."""
    pool = await world.pool(LambdaConfig=CHALLENGES)
    client = await world.client(pool, PreventUserExistenceErrors="ENABLED")
    world.answer = lambda event: {"response": {"issueTokens": True}}
    params = {
        "ClientId": client,
        "AuthFlow": "CUSTOM_AUTH",
        "AuthParameters": {"USERNAME": "abe"},
    }
    code, _ = await refused(world.rooms.signing_in.initiate(params, ADDRESS))
    assert code == "NotAuthorizedException"
    assert world.events[-1]["request"]["userNotFound"] is True


@pytest.mark.parametrize(
    "answer",
    [
        {"emailMessage": "no code"},
        {"emailMessage": "{####}" + "x" * 20_000},
        {"emailMessage": 7},
        {"emailMessage": "{####}", "emailSubject": "a\r\nBcc: x@y.z"},
    ],
)
async def test_messages_that_are_none(world: World, answer: Any) -> None:
    pool = await world.pool(LambdaConfig={"CustomMessage": FUNCTION})
    client = await world.client(pool)
    world.answer = lambda event: {"response": answer}
    await world.user(pool, "ann", email="a@example.com", email_verified="true")
    params = {"ClientId": client, "Username": "ann"}
    code, _ = await refused(world.rooms.recovery.forgot(params, ADDRESS))
    assert code == "InvalidLambdaResponseException"
    assert world.mail.sent == []


@pytest.mark.parametrize("session", ["", "A" * 40, "A" * 4096, "é" * 40, "====", "AAAA" * 1024])
async def test_sessions_that_are_made_up(world: World, session: str) -> None:
    pool = await world.pool(LambdaConfig=CHALLENGES)
    client = await world.client(pool)
    await world.user(pool, "ann")
    for name in ("CUSTOM_CHALLENGE", "NEW_PASSWORD_REQUIRED", "SOFTWARE_TOKEN_MFA"):
        params = {
            "ClientId": client,
            "ChallengeName": name,
            "Session": session,
            "ChallengeResponses": {"USERNAME": "ann", "ANSWER": "a", "NEW_PASSWORD": PASSWORD},
        }
        code, _ = await refused(world.rooms.signing_in.respond(params, ADDRESS))
        assert code == "NotAuthorizedException"
    params["ChallengeName"] = "PASSWORD_VERIFIER"
    params["ChallengeResponses"] = {
        "USERNAME": "ann",
        "PASSWORD_CLAIM_SECRET_BLOCK": session,
        "PASSWORD_CLAIM_SIGNATURE": session,
        "TIMESTAMP": session,
    }
    code, _ = await refused(world.rooms.signing_in.respond(params, ADDRESS))
    assert code == "NotAuthorizedException"


async def test_a_session_is_for_its_user_and_challenge(world: World) -> None:
    """It cannot be used for another name, a later user of the same name, another client or another
    kind of challenge."""
    pool = await world.pool()
    client, other = await world.client(pool), await world.client(pool)
    for name in ("ann", "bob"):
        params = {"UserPoolId": pool, "Username": name, "MessageAction": "SUPPRESS"}
        await world.rooms.managed.create(HERE, {**params, "TemporaryPassword": PASSWORD})
    asked = await world.sign_in(client, "ann")

    def answer(client: str, name: str, challenge: str = "NEW_PASSWORD_REQUIRED") -> Any:
        return world.rooms.signing_in.respond(
            {
                "ClientId": client,
                "ChallengeName": challenge,
                "Session": asked["Session"],
                "ChallengeResponses": {
                    "USERNAME": name,
                    "NEW_PASSWORD": "Passw0rd!n",
                    "SOFTWARE_TOKEN_MFA_CODE": "000000",
                },
            },
            ADDRESS,
        )

    for which in ((client, "bob"), (other, "ann"), (client, "ann", "SOFTWARE_TOKEN_MFA")):
        assert (await refused(answer(*which)))[0] == "NotAuthorizedException"
    await world.rooms.managed.delete(HERE, {"UserPoolId": pool, "Username": "ann"})
    params = {"UserPoolId": pool, "Username": "ann", "MessageAction": "SUPPRESS"}
    await world.rooms.managed.create(HERE, params)
    assert (await refused(answer(client, "ann")))[0] == "NotAuthorizedException"
    asked = await world.sign_in(client, "bob")
    assert "AuthenticationResult" in await answer(client, "bob")


@pytest.mark.slow
async def test_an_address_signs_up_so_many_users(world: World) -> None:
    """And no more; it can still sign users in."""
    pool = await world.pool()
    client = await world.client(pool)
    await world.user(pool, "ann")

    def sign_up(name: str, address: str) -> Any:
        params = {"ClientId": client, "Username": name, "Password": "short"}
        return world.rooms.sign_up.sign_up(params, address)

    for number in range(300):
        await refused(sign_up(f"user-{number}", ADDRESS))
    assert (await refused(sign_up("one", ADDRESS)))[0] == "TooManyRequestsException"
    assert (await refused(sign_up("one", "10.9.9.9")))[0] == "InvalidPasswordException"
    assert "AccessToken" in await world.sign_in(client, "ann")
