"""Libraries that people sign in with, as they are: pycognito, amazon-cognito-identity-js and
Amplify."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from pycognito import Cognito
from pycognito.aws_srp import AWSSRP
from pycognito.exceptions import ForceChangePasswordException

from tests.packages import INSTALLED

from .conftest import PASSWORD, World

SCRIPTS = Path(__file__).parent / "js"


@pytest.fixture
def library(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cognito]:
    """Makes pycognito's objects. The keys are here: the issuer's address is AWS's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.platform.endpoint)

    def make(pool: str, client: str, **more: Any) -> Cognito:
        unsigned = Config(signature_version=UNSIGNED)
        made = Cognito(pool, client, user_pool_region="us-east-1", botocore_config=unsigned, **more)
        address = f"{world.platform.endpoint}/{pool}/.well-known/jwks.json"
        with urllib.request.urlopen(address) as response:
            made.pool_jwk = json.load(response)
        return made

    return make


@pytest.mark.parametrize("has_secret", [False, True])
def test_pycognito(world: World, library: Callable[..., Cognito], has_secret: bool) -> None:
    """Sign-up, SRP, refresh, attributes, a forgotten password, a temporary one; with a client that
    has a secret, too."""
    pool, _ = world.pool()
    client = world.client(pool, GenerateSecret=has_secret)
    shown = world.owner.describe_user_pool_client(UserPoolId=pool, ClientId=client)
    secret = shown["UserPoolClient"].get("ClientSecret")
    assert (secret is not None) is has_secret
    address = f"py-{has_secret}@example.com"
    ann = library(pool, client, username="ann", client_secret=secret)
    ann.set_base_attributes(email=address)
    ann.register("ann", PASSWORD)
    ann.confirm_sign_up(world.smtp.take_code(address))
    with pytest.raises(ann.client.exceptions.NotAuthorizedException):
        ann.authenticate("Passw0rd!y")
    ann.authenticate(PASSWORD)
    before = ann.access_token
    assert ann.id_claims["email"] == address
    assert ann.access_claims["username"] == "ann"
    ann.renew_access_token()
    assert ann.access_token != before
    assert ann.get_user(attr_map={"email": "mail"}).mail == address
    ann.change_password(PASSWORD, "Passw0rd!z")
    ann.initiate_forgot_password()
    ann.confirm_forgot_password(world.smtp.take_code(address), "Passw0rd!n")
    ann.authenticate("Passw0rd!n")
    token = ann.access_token
    ann.logout()
    with pytest.raises(ann.client.exceptions.NotAuthorizedException, match="revoked"):
        ann.client.get_user(AccessToken=token)
    world.owner.admin_create_user(
        UserPoolId=pool,
        Username="bob",
        TemporaryPassword="Temp0rary!",
        MessageAction="SUPPRESS",
    )
    bob = library(pool, client, username="bob", client_secret=secret)
    with pytest.raises(ForceChangePasswordException):
        bob.authenticate("Temp0rary!")
    bob.new_password_challenge("Temp0rary!", PASSWORD)
    bob.authenticate(PASSWORD)


def test_srp_of_a_user_who_does_not_exist(world: World) -> None:
    """It looks the same: the salt stays the same, and the end is an incorrect password."""
    pool, _ = world.pool()
    client = world.client(pool, PreventUserExistenceErrors="ENABLED")
    srp = AWSSRP("nobody", "Passw0rd!x", pool, client, client=world.people)
    parameters = srp.get_auth_params()

    def begin() -> Any:
        return world.people.initiate_auth(
            ClientId=client, AuthFlow="USER_SRP_AUTH", AuthParameters=parameters
        )

    first, second = begin(), begin()
    assert first["ChallengeName"] == "PASSWORD_VERIFIER"
    assert first["ChallengeParameters"]["SALT"] == second["ChallengeParameters"]["SALT"]
    assert first["ChallengeParameters"]["SRP_B"] != second["ChallengeParameters"]["SRP_B"]
    with pytest.raises(world.people.exceptions.NotAuthorizedException) as refused:
        srp.authenticate_user()
    assert "Incorrect username or password." in str(refused.value)


def run_script(world: World, script: str, address: str, *arguments: str) -> Any:
    """What a script of Node.js prints, which wants two codes that are sent to an address."""
    modules = INSTALLED / "cognito" / "node_modules"
    assert modules.is_dir(), "run `make test`, it installs the packages"
    running = subprocess.Popen(
        ["node", str(SCRIPTS / script), world.platform.endpoint, *arguments],
        env={**os.environ, "MODULES": str(modules)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdin is not None
    with running:
        try:
            for _ in range(2):
                running.stdin.write(world.smtp.take_code(address) + "\n")
                running.stdin.flush()
            output, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 0, errors
    return json.loads(output)


def test_the_library_for_javascript(world: World) -> None:
    """Sign-up, SRP, refresh, a forgotten password, an invitation, and custom challenges."""
    arn = world.trigger("js-challenges")
    names = ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
    pool, client = world.pool(LambdaConfig=dict.fromkeys(names, arn))
    world.owner.create_group(UserPoolId=pool, GroupName="testers")
    world.owner.admin_create_user(
        UserPoolId=pool,
        Username="js-bob",
        TemporaryPassword="Temp0rary!",
        MessageAction="SUPPRESS",
    )
    world.owner.admin_add_user_to_group(UserPoolId=pool, Username="js-bob", GroupName="testers")
    result = run_script(world, "client.mjs", "js@example.com", pool, client)
    assert result["early"]["error"] == "UserNotConfirmedException"
    assert result["confirmed"] == "SUCCESS"
    assert result["wrong"]["message"] == "Incorrect username or password."
    assert result["payload"]["sub"] == result["sub"]
    assert result["payload"]["email_verified"] is True
    assert result["attributes"] == ["sub", "email", "email_verified"]
    assert result["refreshed"] is True
    assert result["changed"] == "SUCCESS"
    assert result["forgot"]["Destination"] == "j***@e***"
    assert result["again"] is True
    assert result["invited"] == {"attributes": {}, "required": []}
    assert result["chosen"] == ["testers"]
    assert result["custom"] == {"question": "3 + 4", "isIn": True}


def test_amplify(world: World) -> None:
    """From sign-up to sign-out: SRP, sessions, an authenticator app, a forgotten password. And a
    pool that asks everyone for a second factor: an invited user adds an app while signing in."""
    pool, client = world.pool()
    strict, strict_client = world.pool()
    for id, mode in ((pool, "OPTIONAL"), (strict, "ON")):
        world.owner.set_user_pool_mfa_config(
            UserPoolId=id,
            MfaConfiguration=mode,
            SoftwareTokenMfaConfiguration={"Enabled": True},
        )
    world.owner.admin_create_user(
        UserPoolId=strict,
        Username="invited",
        TemporaryPassword="Temp0rary!",
        MessageAction="SUPPRESS",
    )
    arguments = (pool, client, strict, strict_client)
    result = run_script(world, "amplify.mjs", "amplify@example.com", *arguments)
    sub = result["attributes"].pop("sub")
    assert len(sub) == 36
    assert result == {
        "signUp": "CONFIRM_SIGN_UP",
        "early": "CONFIRM_SIGN_UP",
        "confirmed": True,
        "wrong": "NotAuthorizedException",
        "signedIn": True,
        "email": "amplify@example.com",
        "isSame": True,
        "user": "amplify",
        "attributes": {"email": "amplify@example.com", "email_verified": "true"},
        "refreshed": True,
        "factors": {"enabled": ["TOTP"], "preferred": "TOTP"},
        "signedOut": "UserUnAuthenticatedException",
        "reset": "a***@e***",
        "asked": "CONFIRM_SIGN_IN_WITH_TOTP_CODE",
        "used": "ExpiredCodeException",
        "invited": "CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED",
        "setUp": "CONTINUE_SIGN_IN_WITH_TOTP_SETUP",
        "in": True,
        "now": "invited",
    }
