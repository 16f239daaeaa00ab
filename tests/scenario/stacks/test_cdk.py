"""The AWS CDK, unmodified: bootstrap, deploy, diff, hotswap, watch, destroy. It takes a minute of
CPU."""

from collections.abc import Callable

import pytest

from tests.lengths import IS_LONG
from tests.platforms import log_lines, wait_for

from .tools import INSTALLED, Platform, Project

pytestmark = pytest.mark.skipif(not IS_LONG, reason="long: make test-long runs it")

MODULES = INSTALLED / "cdk" / "node_modules"
PROGRAM = """
const cdk = require("aws-cdk-lib");
const apigateway = require("aws-cdk-lib/aws-apigateway");
const custom = require("aws-cdk-lib/custom-resources");
const lambda = require("aws-cdk-lib/aws-lambda");
const notifications = require("aws-cdk-lib/aws-s3-notifications");
const s3 = require("aws-cdk-lib/aws-s3");
const sources = require("aws-cdk-lib/aws-lambda-event-sources");
const sqs = require("aws-cdk-lib/aws-sqs");

const app = new cdk.App();
const stack = new cdk.Stack(app, "CdkApp");
const hello = new lambda.Function(stack, "Hello", {
  runtime: new lambda.Runtime("PYTHON_VERSION"),
  handler: "app.handler",
  code: lambda.Code.fromAsset("src"),
  environment: { WHO: app.node.tryGetContext("who") || "world" },
});
new apigateway.LambdaRestApi(stack, "Api", { handler: hello });
const queue = new sqs.Queue(stack, "Queue");
hello.addEventSource(new sources.SqsEventSource(queue));
const bucket = new s3.Bucket(stack, "Bucket", {
  autoDeleteObjects: true,
  removalPolicy: cdk.RemovalPolicy.DESTROY,
});
const receiver = new notifications.LambdaDestination(hello);
bucket.addEventNotification(s3.EventType.OBJECT_CREATED, receiver);
const parameter = { service: "SSM", parameters: { Name: "/cdk/said" } };
new custom.AwsCustomResource(stack, "Said", {
  onUpdate: {
    ...parameter,
    action: "putParameter",
    parameters: { ...parameter.parameters, Type: "String", Value: "hello", Overwrite: true },
    physicalResourceId: custom.PhysicalResourceId.of("said"),
  },
  onDelete: { ...parameter, action: "deleteParameter" },
  policy: custom.AwsCustomResourcePolicy.fromSdkCalls({
    resources: custom.AwsCustomResourcePolicy.ANY_RESOURCE,
  }),
  installLatestAwsSdk: false,
});
new cdk.CfnOutput(stack, "Name", { value: hello.functionName });
new cdk.CfnOutput(stack, "QueueUrl", { value: queue.queueUrl });
new cdk.CfnOutput(stack, "BucketName", { value: bucket.bucketName });
"""
SETTINGS = """
{"app": "node app.js", "watch": {"include": ["src/**"], "exclude": ["cdk.out"]}}
"""
APP = """
import json, os

def handler(event, context):
    print("received", event)
    return {"statusCode": 200, "body": json.dumps({"hello": os.environ["WHO"]})}
"""


@pytest.fixture
def project(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("cdk"), platform)
    made.write(app__js=PROGRAM, cdk__json=SETTINGS)
    (made.directory / "src").mkdir()
    (made.directory / "src" / "app.py").write_text(APP)
    return made


CDK = ("node", str(MODULES / "aws-cdk" / "bin" / "cdk"), "--no-notices")
VARIABLES = {
    "NODE_PATH": str(MODULES),
    "NODE_NO_WARNINGS": "1",
    "CDK_DISABLE_CLI_TELEMETRY": "1",
}


@pytest.fixture
def cdk(project: Project) -> Callable[..., str]:
    """Runs `cdk`; returns what it prints."""
    return lambda *arguments: project.run([*CDK, *arguments], **VARIABLES)


@pytest.mark.timeout(600)
def test_from_the_bootstrap_to_the_destruction(project: Project, cdk: Callable[..., str]) -> None:
    """An API, a queue and a bucket call a function. A bucket with an object goes with its stack: a
    function of the CDK empties it. A function of the CDK calls SSM. `--hotswap` and `watch` send
    new code without a change set."""
    assert "bootstrapped" in cdk("bootstrap", "aws://000000000000/us-east-1")
    deploy = ("deploy", "--require-approval", "never")
    cdk(*deploy)
    made = project.outputs("CdkApp")
    (address,) = [value for key, value in made.items() if key.startswith("ApiEndpoint")]
    assert project.get(address) == {"hello": "world"}
    project.sends(made["QueueUrl"], made["Name"], "from the queue")

    assert "There were no differences" in cdk("diff")
    assert "WHO" in cdk("diff", "--context", "who=you")
    cdk(*deploy, "--context", "who=you")
    assert project.outputs("CdkApp") == made
    assert project.get(address) == {"hello": "you"}

    s3, ssm = project.platform.client("s3"), project.platform.client("ssm")
    assert ssm.get_parameter(Name="/cdk/said")["Parameter"]["Value"] == "hello"
    s3.put_object(Bucket=made["BucketName"], Key="left", Body=b"behind")
    wait_for(
        lambda: any(
            "ObjectCreated:Put" in line for line in log_lines(project.platform, made["Name"])
        ),
        "the bucket calls the function",
    )

    events = len(project.events("CdkApp"))
    code = project.directory / "src" / "app.py"
    code.write_text(APP.replace('"hello":', '"goodbye":'))
    assert "hotswapped" in cdk(*deploy, "--hotswap", "--context", "who=you")
    assert project.get(address) == {"goodbye": "you"}
    assert len(project.events("CdkApp")) == events
    with project.running([*CDK, "watch", "--context", "who=you"], "Total time", **VARIABLES):
        code.write_text(APP.replace('"hello":', '"ahoy":'))
        wait_for(lambda: project.get(address) == {"ahoy": "you"}, "the new code answers")

    cdk("destroy", "--force")
    assert ssm.get_parameters(Names=["/cdk/said"])["InvalidParameters"] == ["/cdk/said"]
    assert project.is_gone("CdkApp")
    assert made["BucketName"] not in [b["Name"] for b in s3.list_buckets()["Buckets"]]
