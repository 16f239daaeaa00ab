"""Every trigger fires at its moment, with its event, and its answer is taken. The platform is
strict: the functions are called because their policies say so."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError

from tests.platforms import deploy, wait_for

from .conftest import ALL, PASSWORD, World


@pytest.fixture(scope="module")
def pool(world: World) -> tuple[str, str]:
    """A pool whose triggers are one function, `every`, and a client."""
    arn = world.trigger("every")
    return world.pool(LambdaConfig=dict.fromkeys(ALL, arn))


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


class Seen:
    """The events since the last look."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = len(world.events("every"))

    def take(self, *sources: str) -> list[Any]:
        """The next events, whose sources are these."""

        def arrived() -> list[Any]:
            found = self._world.events("every")[self._count :]
            return found if len(found) >= len(sources) else []

        found = wait_for(arrived, f"the events {sources}")
        assert [event["triggerSource"] for event in found] == list(sources)
        self._count += len(found)
        return found


def test_signing_up_and_in(world: World, pool: tuple[str, str]) -> None:
    """From the first request to refreshed tokens."""
    pool_id, client = pool
    people, seen = world.people, Seen(world)
    signed_up = people.sign_up(
        ClientId=client,
        Username="Ann",
        Password=PASSWORD,
        UserAttributes=[{"Name": "email", "Value": "ann@example.com"}],
        ValidationData=[{"Name": "ad", "Value": "spring"}],
        ClientMetadata={"page": "1"},
    )
    assert signed_up["UserConfirmed"] is False
    assert signed_up["CodeDeliveryDetails"]["Destination"] == "a***@e***"
    before, message = seen.take("PreSignUp_SignUp", "CustomMessage_SignUp")
    assert before == {
        "version": "1",
        "triggerSource": "PreSignUp_SignUp",
        "region": "us-east-1",
        "userPoolId": pool_id,
        "userName": "Ann",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client},
        "request": {
            "userAttributes": {"email": "ann@example.com"},
            "validationData": {"ad": "spring"},
            "clientMetadata": {"page": "1"},
        },
        "response": {
            "autoConfirmUser": False,
            "autoVerifyEmail": False,
            "autoVerifyPhone": False,
        },
    }
    assert message["request"]["codeParameter"] == "{####}"
    assert message["request"]["userAttributes"]["cognito:user_status"] == "UNCONFIRMED"
    assert message["request"]["userAttributes"]["sub"] == signed_up["UserSub"]
    mail = world.smtp.take("ann@example.com")
    assert (mail["Subject"], mail["From"]) == ("SignUp for Ann", "pools@example.com")
    assert "<b>SignUp</b>" in mail.get_content()
    people.resend_confirmation_code(ClientId=client, Username="ann")
    (again,) = seen.take("CustomMessage_ResendCode")
    assert again["userName"] == "Ann"
    code = world.smtp.take_code("ann@example.com")
    people.confirm_sign_up(ClientId=client, Username="ANN", ConfirmationCode=code)
    (after,) = seen.take("PostConfirmation_ConfirmSignUp")
    assert after["request"]["userAttributes"]["email_verified"] == "true"
    assert after["request"]["userAttributes"]["cognito:user_status"] == "CONFIRMED"
    assert after["response"] == {}

    def sign_in(**more: Any) -> Any:
        return people.initiate_auth(
            ClientId=client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ann", "PASSWORD": PASSWORD},
            **more,
        )["AuthenticationResult"]

    tokens = sign_in(ClientMetadata={"from": "here"})
    first, last, made = seen.take(
        "PreAuthentication_Authentication",
        "PostAuthentication_Authentication",
        "TokenGeneration_Authentication",
    )
    assert first["request"]["validationData"] == {"from": "here"}
    assert last["request"]["newDeviceUsed"] is False
    assert made["request"]["groupConfiguration"] == {
        "groupsToOverride": [],
        "iamRolesToOverride": [],
        "preferredRole": None,
    }
    claims = claims_of(tokens["IdToken"])
    assert claims["source"] == "TokenGeneration_Authentication"
    assert "email" not in claims
    people.initiate_auth(
        ClientId=client,
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"]},
    )
    seen.take("TokenGeneration_RefreshTokens")
    people.update_user_attributes(
        AccessToken=tokens["AccessToken"],
        UserAttributes=[{"Name": "email", "Value": "ann2@example.com"}],
    )
    people.get_user_attribute_verification_code(
        AccessToken=tokens["AccessToken"], AttributeName="email"
    )
    seen.take("CustomMessage_UpdateUserAttribute", "CustomMessage_VerifyUserAttribute")
    code = world.smtp.take_code("ann2@example.com", "VerifyUserAttribute")
    people.verify_user_attribute(
        AccessToken=tokens["AccessToken"], AttributeName="email", Code=code
    )
    people.forgot_password(ClientId=client, Username="ann")
    seen.take("CustomMessage_ForgotPassword")
    code = world.smtp.take_code("ann2@example.com", "ForgotPassword")
    people.confirm_forgot_password(
        ClientId=client, Username="ann", ConfirmationCode=code, Password=PASSWORD
    )
    seen.take("PostConfirmation_ConfirmForgotPassword")
    code_name, text = refusal(lambda: sign_in(ClientMetadata={"from": "nowhere"}))
    assert code_name == "UserLambdaValidationException"
    assert text == "PreAuthentication failed with error not from there."
    seen.take("PreAuthentication_Authentication")


def test_a_function_confirms_or_refuses(world: World, pool: tuple[str, str]) -> None:
    """PostConfirmation fires for those whom PreSignUp confirms as well."""
    _, client = pool
    people, seen = world.people, Seen(world)
    email = [{"Name": "email", "Value": "auto@example.com"}]
    made = people.sign_up(ClientId=client, Username="auto", Password=PASSWORD, UserAttributes=email)
    assert made["UserConfirmed"] is True
    _, after = seen.take("PreSignUp_SignUp", "PostConfirmation_ConfirmSignUp")
    assert after["request"]["userAttributes"]["email_verified"] == "true"
    code, message = refusal(
        lambda: people.sign_up(ClientId=client, Username="refused", Password=PASSWORD)
    )
    assert code == "UserLambdaValidationException"
    assert message == "PreSignUp failed with error no refused users here."
    seen.take("PreSignUp_SignUp")


def test_an_invited_user_chooses_a_password(world: World, pool: tuple[str, str]) -> None:
    """The mail has the temporary password. PostConfirmation does not fire."""
    pool_id, client = pool
    seen, people = Seen(world), world.people
    world.owner.admin_create_user(
        UserPoolId=pool_id,
        Username="bob",
        TemporaryPassword="Temp0rary!",
        DesiredDeliveryMediums=["EMAIL"],
        UserAttributes=[
            {"Name": "email", "Value": "bob@example.com"},
            {"Name": "email_verified", "Value": "true"},
        ],
    )
    _, message = seen.take("PreSignUp_AdminCreateUser", "CustomMessage_AdminCreateUser")
    assert message["request"]["usernameParameter"] == "{username}"
    assert message["callerContext"]["clientId"] == "CLIENT_ID_NOT_APPLICABLE"
    assert "bob Temp0rary!" in world.smtp.take("bob@example.com").get_content()
    asked = people.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "bob", "PASSWORD": "Temp0rary!"},
    )
    assert asked["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    seen.take("PreAuthentication_Authentication")

    def answer(password: str) -> Any:
        return people.respond_to_auth_challenge(
            ClientId=client,
            ChallengeName="NEW_PASSWORD_REQUIRED",
            Session=asked["Session"],
            ChallengeResponses={"USERNAME": "bob", "NEW_PASSWORD": password},
        )

    assert refusal(lambda: answer("short"))[0] == "InvalidPasswordException"
    tokens = answer(PASSWORD)["AuthenticationResult"]
    seen.take("PostAuthentication_Authentication", "TokenGeneration_NewPasswordChallenge")
    assert claims_of(tokens["IdToken"])["source"] == "TokenGeneration_NewPasswordChallenge"
    assert refusal(lambda: answer(PASSWORD))[0] == "NotAuthorizedException"


def test_custom_challenges(world: World, pool: tuple[str, str]) -> None:
    """A wrong answer leads to the next question, as DefineAuthChallenge says; a session serves
    once; three wrong answers end it."""
    _, client = pool
    seen, people = Seen(world), world.people
    people.sign_up(ClientId=client, Username="auto-carl", Password=PASSWORD)
    seen.take("PreSignUp_SignUp", "PostConfirmation_ConfirmSignUp")
    trio = ("DefineAuthChallenge_Authentication", "CreateAuthChallenge_Authentication")

    def begin() -> Any:
        return people.initiate_auth(
            ClientId=client, AuthFlow="CUSTOM_AUTH", AuthParameters={"USERNAME": "auto-carl"}
        )

    def answer(asked: Any, text: str) -> Any:
        return people.respond_to_auth_challenge(
            ClientId=client,
            ChallengeName="CUSTOM_CHALLENGE",
            Session=asked["Session"],
            ChallengeResponses={"USERNAME": "auto-carl", "ANSWER": text},
        )

    asked = begin()
    assert asked["ChallengeName"] == "CUSTOM_CHALLENGE"
    assert asked["ChallengeParameters"] == {"USERNAME": "auto-carl", "question": "3 + 4"}
    _, defined, created = seen.take("PreAuthentication_Authentication", *trio)
    assert defined["request"]["session"] == []
    assert created["request"]["challengeName"] == "CUSTOM_CHALLENGE"
    wrong = answer(asked, "8")
    verified, defined, _ = seen.take("VerifyAuthChallengeResponse_Authentication", *trio)
    assert verified["request"]["privateChallengeParameters"] == {"answer": "7"}
    assert verified["request"]["challengeAnswer"] == "8"
    assert defined["request"]["session"] == [
        {
            "challengeName": "CUSTOM_CHALLENGE",
            "challengeResult": False,
            "challengeMetadata": "SUM",
        }
    ]
    assert refusal(lambda: answer(asked, "7"))[0] == "NotAuthorizedException"
    assert "AuthenticationResult" in answer(wrong, "7")
    asked = begin()
    for _ in range(2):
        asked = answer(asked, "0")
    assert refusal(lambda: answer(asked, "0")) == (
        "NotAuthorizedException",
        "Incorrect username or password.",
    )


def test_users_of_another_directory(world: World, pool: tuple[str, str]) -> None:
    """They are added when they sign in with their old password, or have forgotten it."""
    pool_id, client = pool
    seen, people = Seen(world), world.people

    def sign_in(name: str, password: str) -> Any:
        return people.initiate_auth(
            ClientId=client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": password},
        )

    assert refusal(lambda: sign_in("old-dora", "0ldPassw0rd?"))[0] == "UserNotFoundException"
    seen.take("UserMigration_Authentication")
    assert "AuthenticationResult" in sign_in("old-dora", "0ldPassw0rd!")
    asked, *_ = seen.take(
        *("UserMigration_Authentication", "PreAuthentication_Authentication"),
        *("PostAuthentication_Authentication", "TokenGeneration_Authentication"),
    )
    assert asked["request"]["password"] == "0ldPassw0rd!"
    found = world.owner.admin_get_user(UserPoolId=pool_id, Username="old-dora")
    assert found["UserStatus"] == "CONFIRMED"
    people.forgot_password(ClientId=client, Username="old-emil")
    seen.take("UserMigration_ForgotPassword", "CustomMessage_ForgotPassword")
    code = world.smtp.take_code("old-emil@example.com")
    people.confirm_forgot_password(
        ClientId=client, Username="old-emil", ConfirmationCode=code, Password=PASSWORD
    )
    seen.take("PostConfirmation_ConfirmForgotPassword")
    assert "AuthenticationResult" in sign_in("old-emil", PASSWORD)


def test_version_2_of_the_event_for_tokens(world: World) -> None:
    """It changes the access token, too."""
    arn = world.trigger("second")
    config = {"LambdaVersion": "V2_0", "LambdaArn": arn}
    pool, client = world.pool(LambdaConfig={"PreTokenGenerationConfig": config})
    world.owner.admin_create_user(UserPoolId=pool, Username="eve", MessageAction="SUPPRESS")
    world.owner.admin_set_user_password(
        UserPoolId=pool, Username="eve", Password=PASSWORD, Permanent=True
    )
    tokens = world.owner.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "eve", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    access, id = claims_of(tokens["AccessToken"]), claims_of(tokens["IdToken"])
    assert (access["level"], access["cognito:groups"]) == (3, ["chosen"])
    assert access["scope"] == "aws.cognito.signin.user.admin shop/read"
    assert (id["source"], id["cognito:groups"]) == ("TokenGeneration_Authentication", ["chosen"])
    (event,) = wait_for(lambda: world.events("second"), "the event")
    assert event["version"] == "2"
    assert event["request"]["scopes"] == ["aws.cognito.signin.user.admin"]


def test_functions_that_do_not_do_their_part(world: World) -> None:
    """Each fault has its error; a function whose policy names another pool is not called."""
    client = world.strict.client("lambda")
    sources = {
        "no-event": "def handler(event, context):\n    return {'confirmed': True}\n",
        "exits": "import os\ndef handler(event, context):\n    os._exit(1)\n",
        "not-for-it": "def handler(event, context):\n    return event\n",
    }
    expected = {
        "no-event": ("InvalidLambdaResponseException", "Unrecognizable lambda output"),
        "exits": ("UserLambdaValidationException", "PreSignUp failed with error RequestId"),
        "not-for-it": (
            "UnexpectedLambdaException",
            "PreSignUp invocation failed due to error AccessDeniedException.",
        ),
    }
    for name, source in sources.items():
        arn = deploy(client, name, {"app.py": source})["FunctionArn"]
        world.allow(name, "us-east-1_another" if name == "not-for-it" else "*")
        _, app = world.pool(LambdaConfig={"PreSignUp": arn})
        found = refusal(
            lambda app=app: world.people.sign_up(  # type: ignore[misc]
                ClientId=app, Username="fred", Password=PASSWORD
            )
        )
        code, text = expected[name]
        assert (found[0], found[1][: len(text)]) == (code, text)
    missing = "arn:aws:lambda:us-east-1:000000000000:function:not-there"
    _, app = world.pool(LambdaConfig={"PreSignUp": missing})
    code, _ = refusal(
        lambda: world.people.sign_up(ClientId=app, Username="fred", Password=PASSWORD)
    )
    assert code == "UnexpectedLambdaException"
