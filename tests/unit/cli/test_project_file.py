"""Projects: what function.toml may say, and the template that it stands for."""

import ast
from pathlib import Path
from typing import Any

import pytest

from lambent.cli.local_files import read_document
from lambent.cli.output import UsageError
from lambent.cli.project_file import is_project, read_project
from lambent.cli.stack_commands import find_template, stack_name

from .conftest import write

CODE = "def handler(event, context): pass\n"


def project(directory: Path, toml: str, *functions: str) -> Path:
    """A function.toml, and directories with Python functions."""
    files = {f"{name}/app.py": CODE for name in functions}
    write(directory, {"function.toml": toml, **files})
    return directory / "function.toml"


def resources(path: Path) -> dict[str, Any]:
    """The resources of the template."""
    found: dict[str, Any] = read_document(path)["Resources"]
    return found


def test_a_project_with_every_trigger(tmp_path: Path) -> None:
    """Each is an event of SAM; what triggers name is created once."""
    toml = """
        name = "shop"
        description = "Sells pets"
        [defaults]
        runtime = "python3.11"
        memory = 256
        layers = ["deps"]
        environment = { STAGE = "dev" }
        tags = { team = "a" }
        [functions.web]
        http = ["GET /pets/{id}", "$default"]
        url = true
        alias = "live"
        environment = { JOBS = "${JobsQueue}" }
        tags = { tier = "front" }
        policies = [
            "AmazonSQSFullAccess",
            { Effect = "Allow", Action = "s3:*", Resource = "*" },
            { SQSSendMessagePolicy = { QueueName = "jobs" } },
        ]
        [functions.work]
        code = "src"
        timeout = 60
        role = "arn:aws:iam::000000000000:role/mine"
        layers = ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"]
        queue = { name = "jobs", batch_size = 5, batch_window = 1 }
        bucket = { name = "pictures", suffix = ".png" }
        topic = ["news", "arn:aws:sns:us-east-1:000000000000:other"]
        rule = { pattern = { source = ["shop"] }, bus = "b" }
        [[functions.work.schedule]]
        expression = "rate(5 minutes)"
        [[functions.work.schedule]]
        expression = "cron(0 9 * * ? *)"
        timezone = "Europe/Berlin"
        input = { hour = 9 }
        [functions.again]
        code = "src"
        queue = "jobs"
        [layers.deps]
        code = "deps"
        runtimes = ["python3.11"]
    """
    path = project(tmp_path, toml, "web", "src")
    made = resources(path)
    web = made["Web"]["Properties"]
    assert web["FunctionName"] == "shop-web"
    assert (web["Runtime"], web["Handler"], web["MemorySize"]) == ("python3.11", "app.handler", 256)
    assert web["Environment"] == {
        "Variables": {"STAGE": "dev", "JOBS": {"Fn::Sub": "${JobsQueue}"}}
    }
    assert web["Tags"] == {"team": "a", "tier": "front"}
    assert web["Layers"] == [{"Ref": "DepsLayer"}]
    assert web["FunctionUrlConfig"] == {"AuthType": "NONE"}
    assert web["AutoPublishAlias"] == "live"
    assert web["Policies"][1]["Statement"] == [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    ]
    assert web["Policies"][2] == {"SQSSendMessagePolicy": {"QueueName": "jobs"}}
    assert web["Events"] == {
        "Http0": {"Type": "HttpApi", "Properties": {"Method": "get", "Path": "/pets/{id}"}},
        "Http1": {"Type": "HttpApi", "Properties": {}},
    }
    work = made["Work"]["Properties"]
    assert work["CodeUri"] == "src"
    assert work["Role"].endswith("role/mine")
    assert work["Layers"] == ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"]
    events = {key: event["Properties"] for key, event in work["Events"].items()}
    assert events == {
        "Schedule0": {
            "ScheduleExpression": "rate(5 minutes)",
            "ScheduleExpressionTimezone": "UTC",
        },
        "Schedule1": {
            "ScheduleExpression": "cron(0 9 * * ? *)",
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "Input": '{"hour": 9}',
        },
        "Queue0": {
            "Queue": {"Fn::GetAtt": ["JobsQueue", "Arn"]},
            "BatchSize": 5,
            "MaximumBatchingWindowInSeconds": 1,
        },
        "Bucket0": {
            "Bucket": {"Ref": "PicturesBucket"},
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".png"}]}},
        },
        "Topic0": {"Topic": {"Ref": "NewsTopic"}},
        "Topic1": {"Topic": "arn:aws:sns:us-east-1:000000000000:other"},
        "Rule0": {"Pattern": {"source": ["shop"]}, "EventBusName": "b"},
    }
    # A message stays hidden as long as the slowest of its functions may need.
    assert made["JobsQueue"]["Properties"] == {"QueueName": "jobs", "VisibilityTimeout": 360}
    assert made["PicturesBucket"]["Properties"] == {"BucketName": "pictures"}
    assert made["NewsTopic"]["Properties"] == {"TopicName": "news"}
    assert made["DepsLayer"]["Properties"]["LayerName"] == "shop-deps"
    assert set(read_document(path)["Outputs"]) == {"Web", "WebUrl", "HttpApi", "Work", "Again"}


def test_what_a_directory_stands_for(tmp_path: Path) -> None:
    """One function stays one function; a project is a template and names its stack."""
    path = project(tmp_path / "my_app", 'memory = 128\n[environment]\nA = "1"\n', ".")
    assert not is_project(path.parent)
    assert find_template(path.parent) is None
    assert find_template(path) is None
    write(path.parent, {"function.toml": "[functions.web]\n", "web/app.py": CODE})
    assert find_template(path.parent) == path
    assert find_template(path) == path
    assert stack_name(path, None) == "my-app"
    assert stack_name(path, "other") == "other"
    assert resources(path)["Web"]["Properties"]["FunctionName"] == "my-app-web"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[functions]\n", "no [functions.NAME]"),
        ("[functions.web]\nmemmory = 1\n", "Did you mean memory?"),
        ("[functions.web]\nmemory = true\n", "it must be a whole number"),
        ("[functions.web]\nurl = 1\n", "it must be true or false"),
        ("[functions.web]\nschedule = 5\n", "schedule = 5"),
        ("[functions.web]\nqueue = {}\n", "queue of web of functions of"),
        ("[functions.web]\nqueue = {nam = 'x'}\n", "Did you mean name?"),
        ("[functions.web]\nrule = 'x'\n", "it must be a table"),
        ("[functions.web]\nhttp = '/pets'\n", "a method and a path"),
        ("[functions.web]\nlayers = ['dep']\n[layers.deps]\ncode = 'd'\n", "Did you mean deps?"),
        ("[functions.web]\n[default]\n", "Did you mean defaults?"),
        ("[functions.gone]\n", "gone is no directory"),
        ("[functions.'a.b']\ncode = 'web'\n", "cannot use the name 'a.b'"),
        ("[functions.web]\n[functions.Web]\ncode = 'web'\n", "two resources Web"),
        ("[functions.web]\ntags = {a = 1}\n", "it must be text"),
        ("functions = 1\n", "it must be a table"),
        ("[functions.web]\nbuild = 'makefile'\n", "give runtime"),
    ],
)
def test_mistakes(tmp_path: Path, toml: str, words: str) -> None:
    """The error names the place and the nearest key."""
    path = project(tmp_path, toml, "web")
    with pytest.raises(UsageError) as refused:
        read_document(path)
    assert words in str(refused.value)
    assert "function.toml" in str(refused.value) or "two resources" in words


def test_keys_are_read_as_data(tmp_path: Path) -> None:
    """What looks like code in a value stays text."""
    path = project(tmp_path, "[functions.web]\ndescription = \"__import__('os')\"\n", "web")
    assert read_project(path).functions["web"].description == "__import__('os')"
    assert ast.literal_eval(repr(resources(path)["Web"]["Properties"]["Description"]))
