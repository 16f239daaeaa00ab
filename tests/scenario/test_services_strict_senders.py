"""Functions of user pools that send codes: the AWS Encryption SDK decrypts what they get, with a
key of the local services. The platform is strict."""

import functools
import importlib.metadata
import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from .conftest import ACCOUNT, ROLE, deploy, invoke, wait_for
from .functions_api import refusal
from .strict_services import allow
from .test_identity import Strict

PASSWORD = "Passw0rd!x"
SENDS = """
import base64, html, json, os
import aws_encryption_sdk
sdk = aws_encryption_sdk.EncryptionSDKClient()
def handler(event, context):
    if "triggerSource" not in event:
        return None
    keys = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[os.environ["KEY"]])
    code = base64.b64decode(event["request"].pop("code"))
    found, header = sdk.decrypt(source=code, key_provider=keys)
    assert header.encryption_context["userpool-id"] == event["userPoolId"]
    print("SENT", json.dumps({"code": found.decode(), **event}))
"""


@functools.cache
def encryption_sdk() -> bytes:
    """A package with the SDK, as `pip install --target` makes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("aws-encryption-sdk", "attrs", "cffi", "cryptography", "wrapt"):
            for path in importlib.metadata.files(name) or ():
                if ".." not in path.parts and "__pycache__" not in path.parts:
                    archive.write(Path(str(path.locate())), str(path))
        archive.writestr("app.py", SENDS)
    return file.getvalue()


class Pool(NamedTuple):
    """A pool whose messages a function sends."""

    strict: Strict
    id: str
    client: str
    key: str
    people: Any

    def sent(self, source: str) -> Any:
        """The event of a source, with its code in clear text."""

        def found() -> Any:
            logs = self.strict.client("logs")
            got = logs.filter_log_events(
                logGroupName="/aws/lambda/sends-codes", filterPattern="SENT"
            )
            lines = (each["message"].partition("SENT ")[2] for each in got["events"])
            events = [json.loads(line) for line in lines if line]
            return next((each for each in events if each["triggerSource"] == source), None)

        return wait_for(found, source, deadline_s=60)


@pytest.fixture(scope="module")
def pool(strict: Strict) -> Pool:
    """A pool with a second factor for everyone."""
    owner = strict.client("cognito-idp")
    key = strict.client("kms").create_key()["KeyMetadata"]["Arn"]
    grants = {"Version": "2012-10-17", "Statement": [allow("kms:Decrypt")]}
    strict.client("iam").put_role_policy(
        RoleName="lambda-role", PolicyName="decrypts", PolicyDocument=json.dumps(grants)
    )
    functions = strict.client("lambda")
    functions.create_function(
        FunctionName="sends-codes",
        Runtime="python3.11",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": encryption_sdk()},
        Environment={"Variables": {"KEY": key}},
        Timeout=60,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="sends-codes")
    assert invoke(functions, "sends-codes", {})[0] is None
    functions.add_permission(
        FunctionName="sends-codes",
        StatementId="pools",
        Action="lambda:InvokeFunction",
        Principal="cognito-idp.amazonaws.com",
        SourceAccount=ACCOUNT,
    )
    sender = {
        "LambdaVersion": "V1_0",
        "LambdaArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sends-codes",
    }
    made = owner.create_user_pool(
        PoolName="sent",
        AutoVerifiedAttributes=["email"],
        LambdaConfig={"CustomEmailSender": sender, "CustomSMSSender": sender, "KMSKeyID": key},
        MfaConfiguration="ON",
        SmsConfiguration={"SnsCallerArn": ROLE},
    )
    id = made["UserPool"]["Id"]
    assert made["UserPool"]["LambdaConfig"]["KMSKeyID"] == key
    client = owner.create_user_pool_client(
        UserPoolId=id, ClientName="app", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    people = strict.platform.client("cognito-idp", config=Config(signature_version=UNSIGNED))
    return Pool(strict, id, client, key, people)


def test_codes_are_decrypted_by_the_encryption_sdk(pool: Pool) -> None:
    """From sign-up by mail to tokens by text message: only the function has seen the codes."""
    people, attributes = pool.people, {"email": "ann@example.com", "phone_number": "+4930123456"}
    people.sign_up(
        ClientId=pool.client,
        Username="ann",
        Password=PASSWORD,
        UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
        ClientMetadata={"page": "1"},
    )
    event = pool.sent("CustomEmailSender_SignUp")
    assert event["request"]["type"] == "customEmailSenderRequestV1"
    assert event["request"]["clientMetadata"] == {"page": "1"}
    assert event["request"]["userAttributes"]["email"] == "ann@example.com"
    assert event["callerContext"]["clientId"] == pool.client
    people.confirm_sign_up(ClientId=pool.client, Username="ann", ConfirmationCode=event["code"])
    asked = people.initiate_auth(
        ClientId=pool.client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": PASSWORD},
    )
    assert asked["ChallengeName"] == "SMS_MFA"
    assert asked["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"] == "+*******3456"
    event = pool.sent("CustomSMSSender_Authentication")
    assert event["request"]["type"] == "customSMSSenderRequestV1"
    tokens = people.respond_to_auth_challenge(
        ClientId=pool.client,
        ChallengeName="SMS_MFA",
        Session=asked["Session"],
        ChallengeResponses={"USERNAME": "ann", "SMS_MFA_CODE": event["code"]},
    )["AuthenticationResult"]
    assert people.get_user(AccessToken=tokens["AccessToken"])["Username"] == "ann"
    pool.strict.client("cognito-idp").admin_create_user(
        UserPoolId=pool.id,
        Username="bob",
        TemporaryPassword="Temp0rary<&>!",
        DesiredDeliveryMediums=["EMAIL"],
        UserAttributes=[{"Name": "email", "Value": "bob@example.com"}],
    )
    assert pool.sent("CustomEmailSender_AdminCreateUser")["code"] == "Temp0rary&lt;&amp;&gt;!"


def test_keys_and_functions_need_permissions(strict: Strict, pool: Pool) -> None:
    """Of who configures the pool, on the key; and of Cognito, on the function."""
    sender = {"LambdaVersion": "V1_0", "LambdaArn": deploy_sender(strict)}
    config = {"CustomEmailSender": sender, "KMSKeyID": pool.key}

    def create(client: Any, **changed: Any) -> Any:
        return client.create_user_pool(
            PoolName="p", AutoVerifiedAttributes=["email"], LambdaConfig={**config, **changed}
        )

    user = strict.client("cognito-idp", **strict.user("pools", allow("cognito-idp:*")))
    code, message = refusal(lambda: create(user))
    assert (code, "kms:CreateGrant" in message) == ("AccessDeniedException", True)
    owner = strict.client("cognito-idp")
    code, message = refusal(lambda: create(owner, KMSKeyID=f"{pool.key}0"))
    assert (code, "is not usable" in message) == ("InvalidParameterException", True)
    elsewhere = pool.key.replace(ACCOUNT, "999999999999")
    assert refusal(lambda: create(owner, KMSKeyID=elsewhere))[0] == "AccessDeniedException"
    other = create(owner)["UserPool"]["Id"]
    made = owner.create_user_pool_client(UserPoolId=other, ClientName="app")
    signing_up = {
        "ClientId": made["UserPoolClient"]["ClientId"],
        "Username": "ann",
        "Password": PASSWORD,
        "UserAttributes": [{"Name": "email", "Value": "ann@example.com"}],
    }
    code, message = refusal(lambda: pool.people.sign_up(**signing_up))
    assert code == "UnexpectedLambdaException"
    assert message.startswith("CustomEmailSender invocation failed due to error AccessDenied")


def deploy_sender(strict: Strict) -> str:
    """A function that no pool may call."""
    arn: str = deploy(
        strict.client("lambda"), "never-called", {"app.py": "def handler(*_): pass"}, Role=ROLE
    )["FunctionArn"]
    return arn
