"""The AWS CLI, unmodified: an API for a function in one command, and the end of both."""

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.platforms import PYTHON, ROLE, Platform, zip_of
from tests.scenario.test_clients import aws

APP = "def handler(event, context):\n    return {'version': VERSION, 'path': event['rawPath']}\n"


@pytest.fixture
def code(tmp_path: Path) -> Any:
    """Writes the package of a version; returns how the CLI names it."""

    def write(version: int) -> str:
        package = tmp_path / f"{version}.zip"
        package.write_bytes(zip_of({"app.py": APP.replace("VERSION", str(version))}))
        return f"fileb://{package}"

    return write


def test_quick_create_update_and_delete(
    platform: Platform, browser: requests.Session, code: Any
) -> None:
    """As AWS's guide has it; a change of the code is seen through the API, by name and by path."""
    function = aws(
        platform,
        *("lambda", "create-function", "--function-name", "quick", "--runtime", PYTHON),
        *("--role", ROLE, "--handler", "app.handler", "--zip-file", code(1)),
    )["FunctionArn"]
    aws(platform, "lambda", "wait", "function-active-v2", "--function-name", "quick")
    quick = ("apigatewayv2", "create-api", "--name", "quick", "--protocol-type", "HTTP")
    api = aws(platform, *quick, "--target", function, "--cors-configuration", "AllowOrigins=*")
    api_id, url = api["ApiId"], api["ApiEndpoint"]
    (stage,) = aws(platform, "apigatewayv2", "get-stages", "--api-id", api_id)["Items"]
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    answer = browser.get(f"{url}/any/path", headers={"Origin": "http://a.example"}, timeout=60)
    assert answer.json() == {"version": 1, "path": "/any/path"}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    changed = ("lambda", "update-function-code", "--function-name", "quick")
    aws(platform, *changed, "--zip-file", code(2))
    aws(platform, "lambda", "wait", "function-updated-v2", "--function-name", "quick")
    by_path = f"{platform.endpoint}/_lambent/api/{api_id}"
    assert browser.get(f"{url}/a", timeout=60).json() == {"version": 2, "path": "/a"}
    assert browser.get(f"{by_path}/a", timeout=60).json() == {"version": 2, "path": "/a"}
    aws(platform, "apigatewayv2", "delete-api", "--api-id", api_id)
    aws(platform, "lambda", "delete-function", "--function-name", "quick")
    for address in (url, by_path):
        assert browser.get(f"{address}/a", timeout=60).status_code in (403, 404)
    apis = aws(platform, "apigatewayv2", "get-apis")["Items"]
    assert api_id not in [item["ApiId"] for item in apis]
