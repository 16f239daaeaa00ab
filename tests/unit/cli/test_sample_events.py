"""`lambent events`: samples that AWS's own tools take for events."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambent.cli.event_commands import names, replace, sample
from lambent.cli.output import UsageError

POWERTOOLS = Path(__file__).parents[3] / "build" / "test-packages" / "powertools"
MODELS = {
    "alb": "AlbModel",
    "custom-resource": "CloudFormationCustomResourceCreateModel",
    "dynamodb": "DynamoDBStreamModel",
    "eventbridge": "EventBridgeModel",
    "function-url": "LambdaFunctionUrlModel",
    "http-api": "APIGatewayProxyEventV2Model",
    "kafka": "KafkaSelfManagedEventModel",
    "kinesis": "KinesisDataStreamModel",
    "logs": "CloudWatchLogsModel",
    "msk": "KafkaMskEventModel",
    "rest-api": "APIGatewayProxyEventModel",
    "s3-delete": "S3Model",
    "s3-put": "S3Model",
    "schedule": "EventBridgeModel",
    "sns": "SnsModel",
    "sqs": "SqsModel",
    "websocket": "APIGatewayWebSocketMessageEventModel",
}
WITHOUT_A_MODEL = {"alexa-launch", "cognito-pre-sign-up"}
PARSE = """
import json, sys
from aws_lambda_powertools.utilities.parser import models
for name, event in json.load(sys.stdin):
    getattr(models, name).model_validate(event)
"""


def test_every_kind_has_a_model() -> None:
    assert set(names()) == MODELS.keys() | WITHOUT_A_MODEL


@pytest.mark.slow
@pytest.mark.skipif(not POWERTOOLS.is_dir(), reason="Powertools is not installed")
def test_powertools_parses_them() -> None:
    events = [(model, sample(kind)) for kind, model in MODELS.items()]
    code = f"import sys; sys.path.insert(0, {str(POWERTOOLS)!r})\n{PARSE}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        input=json.dumps(events),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("Records.0.body", '{"a":1}', '{"a":1}'),
        ("Records.0.new", '{"a":1}', {"a": 1}),
        ("Records.0.attributes", "{}", {}),
        ("more", "text", "text"),
    ],
)
def test_values_are_replaced(path: str, text: str, value: Any) -> None:
    """What is text stays text."""
    event = sample("sqs")
    replace(event, path, text)
    found = event
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    assert found == value


@pytest.mark.parametrize("path", ["Records.7.body", "Records.x", "Records.0.body.deeper", "a.b"])
def test_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(UsageError, match="nothing at"):
        replace(sample("sqs"), path, "1")


def test_an_unknown_kind() -> None:
    with pytest.raises(UsageError, match="no kind of event is called sqss; there are alb"):
        sample("sqss")
