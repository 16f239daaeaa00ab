"""Services of the emulator that call functions and wait for their answers, as people use them."""

import base64
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from websockets.sync.client import connect

from tests.platforms import zip_of

from .conftest import ACCOUNT, ROLE, Platform, deploy, wait_for
from .functions_api import refusal
from .test_services import Teller

PASSWORD = "Passw0rd!x"
OTHER_ACCOUNT = "123456789012"
CHALLENGES = """
def handler(event, context):
    kind, answer = event["triggerSource"], event["response"]
    if kind.startswith("DefineAuthChallenge"):
        session = event["request"]["session"]
        passed = bool(session) and session[-1]["challengeResult"]
        answer.update(issueTokens=passed, failAuthentication=bool(session) and not passed)
        if not session:
            answer["challengeName"] = "CUSTOM_CHALLENGE"
    elif kind.startswith("CreateAuthChallenge"):
        answer["publicChallengeParameters"] = {"question": "2 + 2"}
        answer["privateChallengeParameters"] = {"answer": "4"}
    else:
        expected = event["request"]["privateChallengeParameters"]["answer"]
        answer["answerCorrect"] = event["request"]["challengeAnswer"] == expected
    return event
"""
CONFIRMS = """
def handler(event, context):
    event["response"]["autoConfirmUser"] = True
    return event
"""
ROTATES = """
import boto3
secrets = boto3.client("secretsmanager")
def handler(event, context):
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    versions = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    assert versions[token] == ["AWSPENDING"], versions
    pending = {"SecretId": secret, "VersionId": token, "VersionStage": "AWSPENDING"}
    old = secrets.get_secret_value(SecretId=secret)
    print("STEP", step)
    if step == "createSecret":
        try:
            secrets.get_secret_value(**pending)
        except secrets.exceptions.ResourceNotFoundException:
            secrets.put_secret_value(SecretId=secret, ClientRequestToken=token,
                SecretString=old["SecretString"] + "+", VersionStages=["AWSPENDING"])
    elif step == "testSecret" and old["SecretString"].endswith("++"):
        raise ValueError("the new secret does not work")
    elif step == "finishSecret":
        assert secrets.get_secret_value(**pending)["SecretString"].endswith("+")
        secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT",
            MoveToVersionId=token, RemoveFromVersionId=old["VersionId"])
"""
ANSWERS = """
import boto3, json
def handler(event, context):
    if "token" in event:
        boto3.client("stepfunctions").send_task_success(
            taskToken=event["token"], output=json.dumps({"n": event["n"] + 1}))
    return {"n": event["n"] * 2}
"""
JUDGES = """
import base64
def handler(event, context):
    (record,) = event["records"]
    verdict, id = base64.b64decode(record["data"]).decode(), record["recordId"]
    if verdict == "raise":
        raise ValueError("no")
    made = {"recordId": id, "result": verdict, "data": base64.b64encode(b"judged").decode()}
    return {"records": {"missing": [], "twice": [made, made]}.get(verdict, [made])}
"""
BAD = "bad/!{firehose:error-output-type}/"
SHOUTS = """
import base64
def handler(event, context):
    def transformed(record):
        data = base64.b64decode(record["data"]).decode().upper()
        return {"recordId": record["recordId"], "result": "Ok",
                "data": base64.b64encode(data.encode()).decode()}
    return {"records": [transformed(record) for record in event["records"]]}
"""
WRITES = """
import boto3, urllib.request
from botocore.config import Config
def handler(event, context):
    found = event["getObjectContext"]
    with urllib.request.urlopen(found["inputS3Url"]) as answer:
        text = answer.read().decode()
    # The name that AWS puts before the address does not exist in a box.
    s3 = boto3.client("s3", config=Config(inject_host_prefix=False))
    s3.write_get_object_response(RequestRoute=found["outputRoute"],
        RequestToken=found["outputToken"], Body=text.upper().encode())
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with the emulator."""
    running = Platform(tmp_path_factory.mktemp("callers") / "data", "--services")
    yield running
    assert running.stop() == 0, running.output


def unsigned(platform: Platform, service: str = "cognito-idp") -> Any:
    """The credentials of an application that knows no keys."""
    return platform.client(service, config=Config(signature_version=UNSIGNED))


def pool_of(platform: Platform, account: str = ACCOUNT, **triggers: str) -> tuple[str, str]:
    """A pool that calls functions, and a client of it."""
    owner = platform.client("cognito-idp", aws_access_key_id=account)
    pool = owner.create_user_pool(PoolName="people", LambdaConfig=triggers)["UserPool"]["Id"]
    made = owner.create_user_pool_client(
        UserPoolId=pool,
        ClientName="app",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH"],
    )
    return pool, made["UserPoolClient"]["ClientId"]


def deploy_for(platform: Platform, name: str, code: str, account: str = ACCOUNT) -> str:
    client = platform.client("lambda", aws_access_key_id=account)
    return str(deploy(client, name, {"app.py": code})["FunctionArn"])


@pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT])
def test_people_sign_up_and_in(platform: Platform, account: str) -> None:
    """Without any signature, in whosever account the pool is; a function confirms them."""
    _, client = pool_of(
        platform, account, PreSignUp=deploy_for(platform, "confirms", CONFIRMS, account)
    )
    people = unsigned(platform)
    signed_up = people.sign_up(ClientId=client, Username="ann", Password=PASSWORD)
    assert signed_up["UserConfirmed"]
    result = people.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    assert people.get_user(AccessToken=result["AccessToken"])["Username"] == "ann"
    code, _ = refusal(lambda: people.sign_up(ClientId=client, Username="ann", Password=PASSWORD))
    assert code == "UsernameExistsException"


def test_rest_apis_verify_tokens_of_pools(platform: Platform) -> None:
    """Pools are the platform's own beside the emulator, and issuers. A mock returns a claim."""
    pool, client = pool_of(platform)
    owner = platform.client("cognito-idp")
    owner.admin_create_user(UserPoolId=pool, Username="eve", MessageAction="SUPPRESS")
    owner.admin_set_user_password(
        UserPoolId=pool, Username="eve", Password=PASSWORD, Permanent=True
    )
    tokens = unsigned(platform).initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "eve", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    apis = platform.client("apigateway")
    api = apis.create_rest_api(name="of-people")
    authorizer = apis.create_authorizer(
        restApiId=api["id"],
        name="people",
        type="COGNITO_USER_POOLS",
        providerARNs=[f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/{pool}"],
        identitySource="method.request.header.Authorization",
    )
    at = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    apis.put_method(**at, authorizationType="COGNITO_USER_POOLS", authorizerId=authorizer["id"])
    apis.put_integration(
        **at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    apis.put_method_response(**at, statusCode="200")
    apis.put_integration_response(
        **at,
        statusCode="200",
        responseTemplates={"application/json": "$context.authorizer.claims['cognito:username']"},
    )
    apis.create_deployment(restApiId=api["id"], stageName="dev")
    address = f"{platform.endpoint}/_lambent/api/{api['id']}/dev"

    def get(token: str) -> bytes:
        sent = urllib.request.Request(address, headers={"Authorization": token})
        with urllib.request.urlopen(sent, timeout=30) as response:
            return bytes(response.read())

    assert get(tokens["IdToken"]) == b"eve"
    for token in (tokens["AccessToken"], tokens["IdToken"][:-9] + "AAAAAAAAA"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(token)


@pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT])
def test_challenges_of_ones_own(platform: Platform, account: str) -> None:
    """All three functions of custom authentication are called, and their responses decide."""
    arn = deploy_for(platform, "challenges", CHALLENGES, account)
    pool, client = pool_of(
        platform,
        account,
        DefineAuthChallenge=arn,
        CreateAuthChallenge=arn,
        VerifyAuthChallengeResponse=arn,
    )
    owner = platform.client("cognito-idp", aws_access_key_id=account)
    owner.admin_create_user(UserPoolId=pool, Username="ann", MessageAction="SUPPRESS")
    owner.admin_set_user_password(
        UserPoolId=pool, Username="ann", Password=PASSWORD, Permanent=True
    )
    people = unsigned(platform)

    def answer(text: str) -> Any:
        challenge = people.initiate_auth(
            ClientId=client, AuthFlow="CUSTOM_AUTH", AuthParameters={"USERNAME": "ann"}
        )
        assert challenge["ChallengeParameters"]["question"] == "2 + 2"
        return people.respond_to_auth_challenge(
            ClientId=client,
            ChallengeName="CUSTOM_CHALLENGE",
            Session=challenge["Session"],
            ChallengeResponses={"USERNAME": "ann", "ANSWER": text},
        )

    assert answer("4")["AuthenticationResult"]["AccessToken"]
    assert refusal(lambda: answer("5"))[0] == "NotAuthorizedException"


@pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT])
def test_a_secret_is_rotated(platform: Platform, account: str) -> None:
    """The four steps, as AWS's own functions expect them. A rotation that failed is not complete,
    and a request tries it again."""
    arn = deploy_for(platform, "rotates", ROTATES, account)
    secrets = platform.client("secretsmanager", aws_access_key_id=account)
    secret = secrets.create_secret(Name="rotated", SecretString="old")["ARN"]
    code, _ = refusal(lambda: secrets.rotate_secret(SecretId=secret))
    assert code == "InvalidRequestException"
    rules = {"AutomaticallyAfterDays": 30}
    wrong = {"SecretId": secret, "RotationLambdaARN": arn}
    code, _ = refusal(
        lambda: secrets.rotate_secret(
            **wrong, RotationRules={"ScheduleExpression": "cron(0 8 * * ? *)"}
        )
    )
    assert code == "InvalidParameterException"

    def described() -> Any:
        return secrets.describe_secret(SecretId=secret)

    def is_rotated(version: str) -> bool:
        found = described()
        return "AWSCURRENT" in found["VersionIdsToStages"][version] and "LastRotatedDate" in found

    for value in ("old+", "old++"):
        begun = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=arn, RotationRules=rules)
        wait_for(partial(is_rotated, begun["VersionId"]), "the rotation", deadline_s=60)
        assert secrets.get_secret_value(SecretId=secret)["SecretString"] == value
    found = described()
    assert (found["NextRotationDate"] - found["LastRotatedDate"]).days == 30
    previous = secrets.get_secret_value(SecretId=secret, VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "old+"

    logs = platform.client("logs", aws_access_key_id=account)

    def tested() -> int:
        found = logs.filter_log_events(
            logGroupName="/aws/lambda/rotates", filterPattern='"STEP testSecret"'
        )
        return len(found["events"])

    secrets.rotate_secret(SecretId=secret)
    wait_for(lambda: tested() == 3, "the failure", deadline_s=60)

    def retried() -> bool:
        code, _ = refusal(lambda: secrets.rotate_secret(SecretId=secret))
        assert code == "InvalidRequestException"
        return tested() > 3

    wait_for(retried, "another attempt", deadline_s=60)
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "old++"


def table_with_stream(platform: Platform, name: str) -> str:
    """The ARN of the stream of a new table."""
    table = platform.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return str(table["TableDescription"]["LatestStreamArn"])


def test_a_pipe_calls_a_function(platform: Platform) -> None:
    """With the records of a table, in their order, also those from before it."""
    stream = table_with_stream(platform, "piped")
    teller = Teller(platform, "on-pipe")
    items = platform.client("dynamodb")
    items.put_item(TableName="piped", Item={"id": {"S": "a"}})
    platform.client("pipes").create_pipe(
        Name="to-function",
        RoleArn=ROLE,
        Source=stream,
        Target=teller.arn,
        SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON"}},
    )
    for key in ("a", "b"):
        (record,) = teller.received("the records")["event"]
        assert (record["eventSource"], record["eventName"]) == ("aws:dynamodb", "INSERT")
        assert record["dynamodb"]["NewImage"] == {"id": {"S": key}}
        items.put_item(TableName="piped", Item={"id": {"S": "b"}})


@pytest.mark.parametrize("source", ["sqs", "kinesis", "dynamodb"])
def test_mappings_read_the_emulator(platform: Platform, source: str) -> None:
    """Without settings."""
    teller = Teller(platform, f"maps-{source}")
    if source == "sqs":
        sqs = platform.client("sqs")
        queue = sqs.create_queue(QueueName="mapped")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:mapped"
        sqs.send_message(QueueUrl=queue, MessageBody="hello")
    elif source == "kinesis":
        kinesis = platform.client("kinesis")
        kinesis.create_stream(StreamName="mapped", ShardCount=1)
        arn = kinesis.describe_stream(StreamName="mapped")["StreamDescription"]["StreamARN"]
        kinesis.put_record(StreamName="mapped", PartitionKey="k", Data=b"hello")
    else:
        arn = table_with_stream(platform, "mapped")
        platform.client("dynamodb").put_item(TableName="mapped", Item={"id": {"S": "hello"}})
    start = {} if source == "sqs" else {"StartingPosition": "TRIM_HORIZON"}
    platform.client("lambda").create_event_source_mapping(
        FunctionName=teller.name, EventSourceArn=arn, **start
    )
    (record,) = teller.received("the records")["event"]["Records"]
    assert (record["eventSource"], record["eventSourceARN"]) == (f"aws:{source}", arn)


def test_state_machines_call_functions(platform: Platform) -> None:
    """By the optimized integration, with and without a task token, and of a version. A task whose
    function fails or is missing fails, as does what is not offered."""
    name = deploy_for(platform, "answers", ANSWERS).rpartition(":")[2]
    states = platform.client("stepfunctions")

    def ended(suffix: str, payload: dict[str, Any], **more: str) -> Any:
        task = {
            "Type": "Task",
            "Resource": f"arn:aws:states:::{suffix}",
            "Parameters": {"FunctionName": name, "Payload": payload, **more},
            "End": True,
        }
        machine = states.create_state_machine(
            name=f"m-{uuid.uuid4()}",
            definition=json.dumps({"StartAt": "A", "States": {"A": task}}),
            roleArn=ROLE,
        )["stateMachineArn"]
        run = states.start_execution(stateMachineArn=machine, input='{"n": 20}')["executionArn"]

        def found() -> Any:
            shown = states.describe_execution(executionArn=run)
            return shown if shown["status"] != "RUNNING" else None

        return wait_for(found, "the end of the execution", deadline_s=30)

    called = ended("lambda:invoke", {"n.$": "$.n"})
    assert json.loads(called["output"])["Payload"] == {"n": 40}
    waited = ended("lambda:invoke.waitForTaskToken", {"n.$": "$.n", "token.$": "$$.Task.Token"})
    assert json.loads(waited["output"]) == {"n": 21}
    client = platform.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    fails = {"app.py": "def handler(event, context):\n    raise KeyError('n')\n"}
    client.update_function_code(FunctionName=name, ZipFile=zip_of(fails))
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    called = ended("lambda:invoke", {"n.$": "$.n"}, Qualifier=version)
    assert json.loads(called["output"])["Payload"] == {"n": 40}
    token = {"token.$": "$$.Task.Token"}
    failed = ended("lambda:invoke.waitForTaskToken", token)
    assert (failed["status"], failed["error"]) == ("FAILED", "KeyError")
    missing = ended("lambda:invoke.waitForTaskToken", token, Qualifier="9")
    assert missing["status"] == "FAILED"
    assert ended("aws-sdk:lambda:invoke", {})["status"] == "FAILED"


FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
STREAM = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/stream/2026-01-01T00:00:00.000"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
PIPE = {"Name": "refused", "RoleArn": ROLE, "Source": STREAM, "Target": FUNCTION}
BATCH = {
    "AccountId": ACCOUNT,
    "Operation": {"LambdaInvoke": {"FunctionArn": FUNCTION}},
    "Report": {"Enabled": False},
    "ClientRequestToken": "t",
    "Priority": 1,
    "RoleArn": ROLE,
}
PROCESSORS = [
    {
        "Type": "Lambda",
        "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": FUNCTION}],
    }
]


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        *(
            (
                "s3",
                "put_bucket_notification_configuration",
                {
                    "Bucket": "silent",
                    "NotificationConfiguration": {
                        "LambdaFunctionConfigurations": [
                            {"LambdaFunctionArn": FUNCTION, "Events": [event]}
                        ]
                    },
                },
                "InvalidArgument",
            )
            for event in ("s3:ObjectTagging:*", "s3:LifecycleExpiration:*", "s3:Replication:*")
        ),
        (
            "ses",
            "create_receipt_rule",
            {
                "RuleSetName": "silent",
                "Rule": {"Name": "r", "Actions": [{"LambdaAction": {"FunctionArn": FUNCTION}}]},
            },
            "InvalidLambdaFunction",
        ),
        (
            "firehose",
            "create_delivery_stream",
            {
                "DeliveryStreamName": "refused",
                "HttpEndpointDestinationConfiguration": {
                    "EndpointConfiguration": {"Url": "https://example.com"},
                    "S3Configuration": {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::silent"},
                    "ProcessingConfiguration": {"Enabled": True, "Processors": PROCESSORS},
                },
            },
            "InvalidArgumentException",
        ),
        ("pipes", "create_pipe", {**PIPE, "Source": QUEUE}, "ValidationException"),
        ("pipes", "create_pipe", {**PIPE, "Target": QUEUE}, "ValidationException"),
        ("pipes", "create_pipe", {**PIPE, "Enrichment": FUNCTION}, "ValidationException"),
        ("ssm", "start_automation_execution", {"DocumentName": "d"}, ""),
        (
            "ssm",
            "register_task_with_maintenance_window",
            {"WindowId": "mw-0123456789abcdef0", "TaskArn": FUNCTION, "TaskType": "LAMBDA"},
            "",
        ),
        ("s3control", "create_job", BATCH, ""),
    ],
)
def test_callers_that_never_call_are_refused(
    platform: Platform, service: str, operation: str, params: dict[str, Any], code: str
) -> None:
    """When they are configured; none is stored without a word."""
    if service == "s3":
        platform.client("s3").create_bucket(Bucket="silent")
    config = Config(inject_host_prefix=False)
    client = platform.client(service, config=config)
    if service == "s3control":
        client.meta.events.register("before-send.s3-control", without_prefix)
    refused_as, message = refusal(lambda: getattr(client, operation)(**params))
    assert refused_as == code or not code, message
    assert message


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("appsync", "list_graphql_apis", {}),
        ("bedrock-agent", "list_agents", {}),
        (
            "codecommit",
            "put_repository_triggers",
            {
                "repositoryName": "r",
                "triggers": [{"name": "t", "destinationArn": FUNCTION, "events": ["all"]}],
            },
        ),
        ("codepipeline", "list_pipelines", {}),
        (
            "config",
            "put_config_rule",
            {"ConfigRule": {"Source": {"Owner": "CUSTOM_LAMBDA", "SourceIdentifier": FUNCTION}}},
        ),
        ("connect", "associate_lambda_function", {"InstanceId": "i", "FunctionArn": FUNCTION}),
        ("elbv2", "create_target_group", {"Name": "t", "TargetType": "lambda"}),
        (
            "iot",
            "create_topic_rule",
            {
                "ruleName": "r",
                "topicRulePayload": {
                    "sql": "SELECT * FROM 't'",
                    "actions": [{"lambda": {"functionArn": FUNCTION}}],
                },
            },
        ),
        ("transfer", "list_servers", {}),
        ("vpc-lattice", "create_target_group", {"name": "t", "type": "LAMBDA"}),
    ],
)
def test_callers_that_are_not_here(
    platform: Platform, service: str, operation: str, params: dict[str, Any]
) -> None:
    """Services that only AWS has: the error names the service that the request is for."""
    code, message = refusal(lambda: getattr(platform.client(service), operation)(**params))
    assert code == "UnknownServiceException", message
    assert "this request is for" in message


def test_identities_without_a_signature(platform: Platform) -> None:
    """Of an identity pool, as applications ask for them."""
    owner = platform.client("cognito-identity")
    pool = owner.create_identity_pool(
        IdentityPoolName="guests", AllowUnauthenticatedIdentities=True
    )["IdentityPoolId"]
    guest = unsigned(platform, "cognito-identity").get_id(IdentityPoolId=pool)
    assert guest["IdentityId"].startswith("us-east-1:")


@pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT])
def test_firehose_records_are_transformed(platform: Platform, account: str) -> None:
    """The function's output arrives at the destination."""
    arn = deploy_for(platform, "shouts", SHOUTS, account)
    s3 = platform.client("s3", aws_access_key_id=account)
    bucket = f"shouted-{account}"
    s3.create_bucket(Bucket=bucket)
    firehose = platform.client("firehose", aws_access_key_id=account)
    firehose.create_delivery_stream(
        DeliveryStreamName="shouting",
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 1},
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [
                    {
                        "Type": "Lambda",
                        "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": arn}],
                    }
                ],
            },
        },
    )
    firehose.put_record(DeliveryStreamName="shouting", Record={"Data": b"hello"})

    def found() -> Any:
        objects = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in objects]

    assert wait_for(found, "an object", deadline_s=30) == [b"HELLO"]


def test_records_that_are_not_transformed_are_kept_apart(platform: Platform) -> None:
    """Under the error prefix, with the error; a record that the function drops is nowhere."""
    arn = deploy_for(platform, "judges", JUDGES)
    s3, firehose = platform.client("s3"), platform.client("firehose")
    s3.create_bucket(Bucket="judged")
    functions = {"judged-by": arn, "judged-by-none": f"{arn}-none"}
    for name, function in functions.items():
        processor = [{"ParameterName": "LambdaArn", "ParameterValue": function}]
        firehose.create_delivery_stream(
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE,
                "BucketARN": "arn:aws:s3:::judged",
                "Prefix": "good/",
                **({"ErrorOutputPrefix": BAD} if arn == function else {}),
                "ProcessingConfiguration": {
                    "Enabled": True,
                    "Processors": [{"Type": "Lambda", "Parameters": processor}],
                },
            },
        )
    for data in ("Ok", "Dropped", "ProcessingFailed", "else", "missing", "twice", "raise"):
        firehose.put_record(DeliveryStreamName="judged-by", Record={"Data": data.encode()})
    firehose.put_record(DeliveryStreamName="judged-by-none", Record={"Data": b"unheard"})

    def found() -> Any:
        listed = s3.list_objects_v2(Bucket="judged").get("Contents", [])
        return [each["Key"] for each in listed] if len(listed) == 7 else None

    keys = wait_for(found, "the objects", deadline_s=30)
    contents = {key: s3.get_object(Bucket="judged", Key=key)["Body"].read() for key in keys}
    assert [each for key, each in contents.items() if key.startswith("good/2")] == [b"judged"]
    failed = {
        base64.b64decode(document["rawData"]).decode(): (key.split("/20")[0], document)
        for key, each in contents.items()
        if not key.startswith("good/2")
        for document in [json.loads(each)]
    }
    codes = {data: (start, document["errorCode"]) for data, (start, document) in failed.items()}
    bad = "bad/processing-failed"
    assert codes == {
        "ProcessingFailed": (bad, "Lambda.ProcessingFailedStatus"),
        "else": (bad, "Lambda.JsonProcessingException"),
        "missing": (bad, "Lambda.MissingRecordId"),
        "twice": (bad, "Lambda.DuplicatedRecordId"),
        "raise": (bad, "Lambda.FunctionError"),
        "unheard": ("good/processing-failed", "Lambda.ResourceNotFound"),
    }
    assert failed["raise"][1]["lambdaArn"] == arn


def test_objects_are_transformed_as_they_are_read(platform: Platform) -> None:
    """S3 Object Lambda: the function responds to the client that gets the object."""
    arn = deploy_for(platform, "writes", WRITES)
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key="a.txt", Body=b"quiet")
    control = platform.client("s3control", config=Config(inject_host_prefix=False))
    # Here the account would otherwise come before the address; a header contains it as well.
    control.meta.events.register("before-send.s3-control", without_prefix)
    control.create_access_point(AccountId=ACCOUNT, Name="plain-point", Bucket="plain")
    transformation = {"AwsLambda": {"FunctionArn": arn}}
    control.create_access_point_for_object_lambda(
        AccountId=ACCOUNT,
        Name="loud",
        Configuration={
            "SupportingAccessPoint": f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/plain-point",
            "TransformationConfigurations": [
                {"Actions": ["GetObject"], "ContentTransformation": transformation}
            ],
        },
    )
    s3.meta.events.register("before-send.s3", without_prefix)
    loud = f"arn:aws:s3-object-lambda:us-east-1:{ACCOUNT}:accesspoint/loud"
    assert s3.get_object(Bucket=loud, Key="a.txt")["Body"].read() == b"QUIET"


def without_prefix(request: Any, **_: Any) -> None:
    """Connect to the address behind a host name's first part, which not every machine resolves."""
    parts = urlsplit(request.url)
    if parts.hostname != "127.0.0.1":
        request.headers["Host"] = parts.netloc.replace("127.0.0.1", "localhost")
        request.url = request.url.replace(parts.netloc, parts.netloc.partition(".")[2])


@pytest.mark.parametrize(
    ("service", "operation", "named", "more"),
    [
        ("sso-oidc", "register_client", "sso-oauth", {"clientName": "a", "clientType": "public"}),
        ("kinesisanalytics", "list_applications", "KinesisAnalytics", {}),
        ("redshift", "describe_clusters", "Version", {}),
    ],
)
def test_services_that_cannot_be_called(
    platform: Platform, service: str, operation: str, named: str, more: dict[str, str]
) -> None:
    """The error says why, in the client's own protocol, and is no other service's."""
    client = unsigned(platform, service)
    code, message = refusal(lambda: getattr(client, operation)(**more))
    assert code == "UnknownServiceException", message
    assert named in message


def test_rest_apis_call_services(platform: Platform) -> None:
    """A queue and a table, as a role, without a function."""
    apis, sqs = platform.client("apigateway"), platform.client("sqs")
    queue = sqs.create_queue(QueueName="from-api")["QueueUrl"]
    platform.client("dynamodb").create_table(
        TableName="from-api",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    api = apis.create_rest_api(name="of-services")
    for verb, uri, template in (
        (
            "POST",
            f"sqs:path/{ACCOUNT}/from-api",
            "Action=SendMessage&MessageBody=$util.urlEncode($input.body)",
        ),
        (
            "PUT",
            "dynamodb:action/PutItem",
            '{"TableName": "from-api", "Item": {"id": {"S": $input.json("$.id")}}}',
        ),
        ("GET", "dynamodb:action/Scan", '{"TableName": "from-api"}'),
        ("DELETE", "dynamodb:action/Scan", '{"TableName": "nowhere"}'),
    ):
        at = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": verb}
        apis.put_method(**at, authorizationType="NONE")
        form = {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}
        apis.put_integration(
            **at,
            type="AWS",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:{uri}",
            credentials=ROLE,
            requestParameters=form if verb == "POST" else {},
            requestTemplates={"application/json": template},
        )
        for status, pattern in (("200", ""), ("400", "4\\d{2}")):
            apis.put_method_response(**at, statusCode=status)
            apis.put_integration_response(**at, statusCode=status, selectionPattern=pattern)
    apis.create_deployment(restApiId=api["id"], stageName="dev")
    address = f"{platform.endpoint}/_lambent/api/{api['id']}/dev"

    def send(verb: str) -> bytes:
        body = b'{"id": "a & b"}' if verb in ("POST", "PUT") else None
        headers = {"Content-Type": "application/json"}
        sent = urllib.request.Request(address, body, headers, method=verb)
        with urllib.request.urlopen(sent, timeout=30) as response:
            return bytes(response.read())

    assert b"MessageId" in send("POST")
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == '{"id": "a & b"}'
    assert send("PUT") == b"{}"
    assert b'{"S":"a & b"}' in send("GET").replace(b" ", b"").replace(b"a&b", b"a & b")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        send("DELETE")


def test_websocket_apis_call_services(platform: Platform) -> None:
    """A message goes into a queue, and the client learns its ID: without a function."""
    v2, sqs = platform.client("apigatewayv2"), platform.client("sqs")
    queue = sqs.create_queue(QueueName="from-clients")["QueueUrl"]
    api = v2.create_api(
        Name="of-services", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a"
    )["ApiId"]
    integration = v2.create_integration(
        ApiId=api,
        IntegrationType="AWS",
        IntegrationMethod="POST",
        IntegrationUri=f"arn:aws:apigateway:us-east-1:sqs:path/{ACCOUNT}/from-clients",
        CredentialsArn=ROLE,
        RequestParameters={
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'",
        },
        RequestTemplates={
            "$default": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        },
    )["IntegrationId"]
    v2.create_integration_response(
        ApiId=api,
        IntegrationId=integration,
        IntegrationResponseKey="/2\\d\\d/",
        ResponseTemplates={"200": '{"sent": true}'},
    )
    route = v2.create_route(
        ApiId=api,
        RouteKey="$default",
        Target=f"integrations/{integration}",
        RouteResponseSelectionExpression="$default",
    )
    v2.create_route_response(ApiId=api, RouteId=route["RouteId"], RouteResponseKey="$default")
    v2.create_stage(ApiId=api, StageName="dev", AutoDeploy=True)
    address = f"{platform.endpoint}/_lambent/api/{api}/dev".replace("http", "ws", 1)
    with connect(address, compression=None) as client:
        client.send("a & b")
        assert client.recv(timeout=30) == '{"sent": true}'
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "a & b"
