"""Powertools reads the events of callers, as the platform makes them: with its data classes and its
models, in one function that all of them call. Events of APIs are in `apis/test_powertools.py`."""

import contextlib
import io
import json
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.packages import package

from .conftest import ACCOUNT, ROLE, invoke, wait_for
from .hooks.hooks import lambent
from .test_identity import Strict
from .user_pools.conftest import ALL, FLOWS

HERE = Path(__file__).parent
PLACE = f"us-east-1:{ACCOUNT}"
NAME = "reads-all"
ARN = f"arn:aws:lambda:{PLACE}:function:{NAME}"
PASSWORD = "Passw0rd!x"
EXPECTED = {
    "cognito": (
        *("PreSignUp_SignUp", "PreSignUp_AdminCreateUser", "PostConfirmation_ConfirmSignUp"),
        *("CustomEmailSender_SignUp", "CustomEmailSender_AdminCreateUser"),
        *("CustomSMSSender_VerifyUserAttribute", "UserMigration_Authentication"),
        *("PreAuthentication_Authentication", "PostAuthentication_Authentication"),
        *("TokenGeneration_Authentication", "TokenGeneration_RefreshTokens"),
        *("DefineAuthChallenge_Authentication", "CreateAuthChallenge_Authentication"),
        "VerifyAuthChallengeResponse_Authentication",
    ),
    "messages": ("CustomMessage_SignUp", "CustomMessage_ResendCode", "tokens V2"),
    "buses": ("made", "Scheduled Event"),
    "hooks": ("alb",),
    "services": ("aws:sns", "aws:s3", "secret", "firehose"),
    "logs": ("logs",),
}


@pytest.fixture(scope="module")
def reader(strict: Strict) -> Strict:
    """The function, which every service may call."""
    archive = io.BytesIO(package("powertools", (HERE / "powertools_parser.py").read_text()))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("trigger.py", (HERE / "user_pools" / "trigger.py").read_text())
    client = strict.client("lambda")
    client.create_function(
        FunctionName=NAME,
        Runtime="python3.11",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
        MemorySize=256,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=NAME)
    assert invoke(client, NAME, {})[0] is None
    services = ("cognito-idp", "events", "sns", "s3", "secretsmanager", "logs")
    for service in (*(f"{name}.amazonaws.com" for name in services), "hooks.lambent"):
        client.add_permission(
            FunctionName=NAME,
            StatementId=service.partition(".")[0],
            Action="lambda:InvokeFunction",
            Principal=service,
        )
    return strict


def pool_of(strict: Strict, config: dict[str, Any]) -> tuple[str, str]:
    """A pool with these functions, and a client of it."""
    owner = strict.client("cognito-idp")
    pool = owner.create_user_pool(
        PoolName="read", AutoVerifiedAttributes=["email"], LambdaConfig=config
    )["UserPool"]["Id"]
    made = owner.create_user_pool_client(UserPoolId=pool, ClientName="app", ExplicitAuthFlows=FLOWS)
    return pool, made["UserPoolClient"]["ClientId"]


def a_role(strict: Strict, service: str) -> str:
    """A role that a service may assume, and that may call the function."""
    iam, name = strict.client("iam"), f"reads-for-{service}"
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}
    trusts = {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusts))
    calls = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ARN}
    document = json.dumps({"Version": "2012-10-17", "Statement": [calls]})
    iam.put_role_policy(RoleName=name, PolicyName="calls", PolicyDocument=document)
    arn: str = made["Role"]["Arn"]
    return arn


def people_of(strict: Strict) -> Any:
    return strict.platform.client("cognito-idp", config=Config(signature_version=UNSIGNED))


def sign_up(people: Any, client: str, name: str) -> None:
    attributes = {"email": f"{name}@example.com", "phone_number": "+4930123456"}
    people.sign_up(
        ClientId=client,
        Username=name,
        Password=PASSWORD,
        UserAttributes=[{"Name": key, "Value": value} for key, value in attributes.items()],
        ClientMetadata={"a": "b"},
    )


def use_cognito(strict: Strict) -> None:
    """All triggers, and functions that send codes."""
    owner, people = strict.client("cognito-idp"), people_of(strict)
    key = strict.client("kms").create_key()["KeyMetadata"]["Arn"]
    sender = {"LambdaVersion": "V1_0", "LambdaArn": ARN}
    senders = {"CustomEmailSender": sender, "CustomSMSSender": sender, "KMSKeyID": key}
    pool, client = pool_of(strict, {**dict.fromkeys(ALL, ARN), **senders})
    sign_up(people, client, "ann")
    owner.admin_confirm_sign_up(UserPoolId=pool, Username="ann")
    owner.admin_create_user(
        UserPoolId=pool,
        Username="bob",
        DesiredDeliveryMediums=["EMAIL"],
        UserAttributes=[{"Name": "email", "Value": "bob@example.com"}],
    )

    def begin(flow: str, **given: str) -> Any:
        return people.initiate_auth(ClientId=client, AuthFlow=flow, AuthParameters=given)

    signed_in = begin("USER_PASSWORD_AUTH", USERNAME="ann", PASSWORD=PASSWORD)
    tokens = signed_in["AuthenticationResult"]
    begin("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=tokens["RefreshToken"])
    begin("USER_PASSWORD_AUTH", USERNAME="old", PASSWORD="0ldPassw0rd!")
    people.get_user_attribute_verification_code(
        AccessToken=tokens["AccessToken"], AttributeName="phone_number"
    )
    asked = begin("CUSTOM_AUTH", USERNAME="ann")
    people.respond_to_auth_challenge(
        ClientId=client,
        ChallengeName=asked["ChallengeName"],
        Session=asked["Session"],
        ChallengeResponses={"USERNAME": "ann", "ANSWER": "7"},
    )


def use_messages(strict: Strict) -> None:
    """CustomMessage, where no function sends; and tokens with the second version of the event."""
    tokens = {"LambdaVersion": "V2_0", "LambdaArn": ARN}
    people, config = people_of(strict), {"CustomMessage": ARN, "PreTokenGenerationConfig": tokens}
    pool, client = pool_of(strict, config)
    sign_up(people, client, "ann")
    people.resend_confirmation_code(ClientId=client, Username="ann")
    strict.client("cognito-idp").admin_confirm_sign_up(UserPoolId=pool, Username="ann")
    people.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": PASSWORD},
    )


def use_buses(strict: Strict) -> None:
    """A rule for events, and a schedule."""
    events = strict.client("events")
    events.put_rule(Name="reads", EventPattern=json.dumps({"source": ["shop.read"]}))
    events.put_targets(Rule="reads", Targets=[{"Id": "1", "Arn": ARN}])
    strict.client("scheduler").create_schedule(
        Name="reads",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": ARN, "RoleArn": a_role(strict, "scheduler")},
    )
    entry = {"Source": "shop.read", "DetailType": "made", "Detail": "{}", "Resources": ["a"]}
    events.put_events(Entries=[entry])


def use_hooks(strict: Strict) -> None:
    """A hook that is a load balancer."""
    keys = {name.upper(): value for name, value in strict.root.items()}
    arguments = ("hook", "create", "reads", "--kind", "alb", "--function", NAME)
    made = lambent(strict.platform, *arguments, **keys)
    assert made.returncode == 0, made.stderr
    address = json.loads(made.stdout)["address"]
    request = urllib.request.Request(f"{address}/a?b=c", b"x", {"Content-Type": "text/plain"})
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.read() == b"parsed"


def use_services(strict: Strict) -> None:
    """A topic, a bucket, a secret and a delivery stream of the emulator."""
    sns, s3 = strict.client("sns"), strict.client("s3")
    topic = sns.create_topic(Name="read")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=ARN)
    sns.publish(TopicArn=topic, Message="m", Subject="s")
    s3.create_bucket(Bucket="read")
    rule = {"LambdaFunctionArn": ARN, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="read", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    s3.put_object(Bucket="read", Key="a b", Body=b"c")
    secrets = strict.client("secretsmanager")
    secret = secrets.create_secret(Name="read", SecretString="s")["ARN"]
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=ARN)
    parameters = [{"ParameterName": "LambdaArn", "ParameterValue": ARN}]
    processor = {"Type": "Lambda", "Parameters": parameters}
    firehose = strict.client("firehose")
    firehose.create_delivery_stream(
        DeliveryStreamName="read",
        ExtendedS3DestinationConfiguration={
            "RoleARN": a_role(strict, "firehose"),
            "BucketARN": "arn:aws:s3:::read",
            "Prefix": "out/",
            "ProcessingConfiguration": {"Enabled": True, "Processors": [processor]},
        },
    )
    firehose.put_record(DeliveryStreamName="read", Record={"Data": b"x"})


def use_logs(strict: Strict) -> None:
    """The lines of another function."""
    client, logs = strict.client("lambda"), strict.client("logs")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context): print('a line')")
    client.create_function(
        FunctionName="is-read",
        Runtime="python3.11",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": archive.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="is-read")
    group = "/aws/lambda/is-read"
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    logs.put_subscription_filter(
        logGroupName=group, filterName="reads", filterPattern="line", destinationArn=ARN
    )
    invoke(client, "is-read", {})


USES = {
    "cognito": use_cognito,
    "messages": use_messages,
    "buses": use_buses,
    "hooks": use_hooks,
    "services": use_services,
    "logs": use_logs,
}


@pytest.mark.parametrize("caller", list(USES))
def test_events_are_read(reader: Strict, caller: str) -> None:
    """Each event is read by the class that Powertools has for it."""
    USES[caller](reader)
    wanted = set(EXPECTED[caller])

    def lines(word: str) -> list[str]:
        found = reader.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{NAME}", filterPattern=word
        )["events"]
        return [each["message"].strip().removeprefix(f"{word} ") for each in found]

    def are_read() -> bool:
        assert not (failed := lines("FAILED")), "\n".join(failed)
        return wanted <= set(lines("PARSED"))

    wait_for(are_read, f"events of {caller}", deadline_s=90)
