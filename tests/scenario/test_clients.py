"""Unmodified clients: AWS CLI v1 and the AWS SDK for JavaScript v3. (boto3 is everywhere else.)"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import forking
from tests.scenario.conftest import ACCOUNT, PYTHON, ROLE, Platform, deploy, wait_for, zip_of

AWS = Path(sys.executable).with_name("aws")
JAVASCRIPT = Path(__file__).parent / "js"

HELLO = "def handler(event, context):\n    print('hello', event)\n    return {'hello': event}\n"


def environment(platform: Platform) -> dict[str, str]:
    """The variables that a user sets to point a client here."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(platform.data_dir.parent),
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }


def aws(platform: Platform, *arguments: str) -> Any:
    """Run the AWS CLI; returns its decoded output. Fails with its error text."""
    done = forking.run(
        [sys.executable, str(AWS), *arguments, "--output", "json"],
        env=environment(platform),
        timeout=60,
        cwd=platform.data_dir.parent,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_the_aws_cli_does_it_all(platform: Platform, tmp_path: Path) -> None:
    """Create, wait, invoke, update, publish, list, tag, delete."""
    package = tmp_path / "code.zip"
    package.write_bytes(zip_of({"app.py": HELLO}))
    out = tmp_path / "out.json"
    created = aws(
        platform,
        *("lambda", "create-function", "--function-name", "by-cli", "--runtime", PYTHON),
        *("--role", ROLE, "--handler", "app.handler", "--zip-file", f"fileb://{package}"),
        *("--tags", "team=blue", "--environment", "Variables={COLOR=blue}"),
    )
    assert created["State"] == "Pending"
    arn = created["FunctionArn"]
    aws(platform, "lambda", "wait", "function-active-v2", "--function-name", "by-cli")
    answer = aws(
        platform,
        *("lambda", "invoke", "--function-name", "by-cli", "--payload", '{"a": 1}', str(out)),
    )
    assert answer == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads(out.read_text()) == {"hello": {"a": 1}}
    aws(
        platform,
        *("lambda", "update-function-configuration", "--function-name", "by-cli"),
        *("--description", "changed"),
    )
    aws(platform, "lambda", "wait", "function-updated-v2", "--function-name", "by-cli")
    published = aws(platform, "lambda", "publish-version", "--function-name", "by-cli")
    assert (published["Version"], published["Description"]) == ("1", "changed")
    listed = aws(platform, "lambda", "list-versions-by-function", "--function-name", "by-cli")
    assert [version["Version"] for version in listed["Versions"]] == ["$LATEST", "1"]
    names = [
        function["FunctionName"]
        for function in aws(platform, "lambda", "list-functions")["Functions"]
    ]
    assert "by-cli" in names
    aws(platform, "lambda", "tag-resource", "--resource", arn, "--tags", "more=1")
    aws(platform, "lambda", "untag-resource", "--resource", arn, "--tag-keys", "team")
    assert aws(platform, "lambda", "list-tags", "--resource", arn)["Tags"] == {"more": "1"}
    limits = aws(platform, "lambda", "get-account-settings")
    assert limits["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert aws(platform, "sts", "get-caller-identity")["Account"] == ACCOUNT
    aws(platform, "lambda", "delete-function", "--function-name", "by-cli")


def test_the_aws_cli_shows_errors(platform: Platform) -> None:
    """Code and message as the CLI prints AWS's."""
    done = subprocess.run(
        [str(AWS), "lambda", "get-function", "--function-name", "nobody"],
        env=environment(platform),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "(ResourceNotFoundException)" in done.stderr
    assert f"Function not found: arn:aws:lambda:us-east-1:{ACCOUNT}:function:nobody" in done.stderr


def cli_with_logs_tail() -> str:
    """AWS CLI v2; v1 cannot follow logs. Distributions have it, PyPI does not."""
    for directory in os.environ["PATH"].split(os.pathsep):
        program = Path(directory, "aws")
        if program.exists() and program.resolve() != AWS.resolve():
            shown = subprocess.run([program, "--version"], capture_output=True, text=True)
            if "aws-cli/2." in shown.stdout:
                return str(program)
    pytest.skip("AWS CLI v2 is not installed (apt install awscli)")


def test_aws_logs_tail_follows(platform: Platform, lambda_client: Any) -> None:
    """`aws logs tail --follow` shows a call made while it runs, and nothing twice."""
    deploy(lambda_client, "followed", {"app.py": HELLO})
    lambda_client.invoke(FunctionName="followed", Payload=b'"first"')
    command = [cli_with_logs_tail(), "--endpoint-url", platform.endpoint, "logs", "tail"]
    with subprocess.Popen(
        [*command, "/aws/lambda/followed", "--follow", "--format", "short"],
        env={**environment(platform), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as tail:
        assert tail.stdout is not None
        seen = ""
        try:
            for line in tail.stdout:
                seen += line
                if "hello first" in line:
                    lambda_client.invoke(FunctionName="followed", Payload=b'"second"')
                if "hello second" in line:
                    break
        finally:
            tail.kill()
    assert "hello second" in seen
    assert len(re.findall("hello first", seen)) == 1


def test_the_javascript_sdk_does_it_all(platform: Platform, tmp_path: Path) -> None:
    """@aws-sdk/client-lambda: create, waiters, invoke, errors, paging, delete."""
    node = shutil.which("node")
    assert node is not None, "Node.js is needed: apt install nodejs"
    assert (JAVASCRIPT / "node_modules").is_dir(), "run `make test`, it installs the SDK"
    package = tmp_path / "code.zip"
    package.write_bytes(zip_of({"app.py": HELLO}))
    done = subprocess.run(
        [node, str(JAVASCRIPT / "client.mjs"), str(package), PYTHON, ROLE],
        env=environment(platform),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["payload"] == {"hello": {"a": 1}}
    assert result["state"] == "Active"
    assert "REPORT RequestId" in result["log"]
    assert result["functionError"] == "Unhandled"
    assert result["missing"] == "ResourceNotFoundException"
    assert result["invalid"]["status"] == 400
    assert result["versions"] == ["$LATEST", "1"]
    assert result["identity"] == ACCOUNT


def test_get_functions_link_downloads_the_package(platform: Platform, lambda_client: Any) -> None:
    """Code.Location returns the very bytes that were uploaded; a forged link does not."""
    import urllib.error
    import urllib.request

    package = zip_of({"app.py": HELLO})
    lambda_client.create_function(
        FunctionName="linked",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": package},
    )
    location = lambda_client.get_function(FunctionName="linked")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        assert answer.read() == package
    forged = location[:-4] + ("AAAA" if not location.endswith("AAAA") else "BBBB")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(forged)
    assert refused.value.code in (403, 404)
    refused.value.close()
    wait_for(
        lambda: (
            lambda_client.get_function_configuration(FunctionName="linked")["State"] == "Active"
        ),
        "the function being active",
    )
