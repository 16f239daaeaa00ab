"""The examples of docs/rest-apis.md, on a platform with a real function."""

import contextlib
import io
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import Platform, deploy

PAGE = Path(__file__).parents[3] / "docs" / "rest-apis.md"
FUNCTION = """
import json

def handler(event, context):
    where = [event["path"], event["requestContext"]["stage"]]
    return {"statusCode": 201, "body": json.dumps(where)}
"""


def test_the_examples_run(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are printed, one after the other."""
    client = platform.client("lambda")
    deploy(client, "hello", {"app.py": FUNCTION})
    monkeypatch.setenv("AWS_ENDPOINT_URL", platform.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "000000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for example in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(example, names)  # noqa: S102
    address = f"{platform.endpoint}/_lambent/api/{printed.getvalue().strip()}/dev"
    with urllib.request.urlopen(address, timeout=30) as response:
        assert response.status == 201
        assert json.load(response) == ["/", "dev"]
    posted = urllib.request.Request(address, b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(posted, timeout=30) as response:
        assert json.load(response) == {"stage": "dev"}
    names["apigateway"].delete_rest_api(restApiId=names["api"]["id"])
    client.delete_function(FunctionName="hello")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(address, timeout=30)
