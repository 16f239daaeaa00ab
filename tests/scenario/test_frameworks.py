"""Frameworks that people have, unmodified: FastAPI behind a function URL, Powertools and
aws-embedded-metrics inside a function. `apis/test_frameworks.py` has more of them, behind APIs."""

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests

from tests.packages import package

from .conftest import PYTHON, ROLE, Platform, invoke, wait_active, wait_for

FASTAPI = """
import hashlib
from fastapi import Cookie, FastAPI, File, Form, Response, UploadFile
from fastapi.responses import RedirectResponse
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI()

class Item(BaseModel):
    name: str
    price: float

@app.get("/items/{item}")
def read(item: str, q: list[str] | None = None):
    return {"item": item}

@app.post("/items")
def create(item: Item):
    return {"created": item.name, "double": item.price * 2}

@app.post("/login")
def login(response: Response, user: str = Form()):
    answer = RedirectResponse("/me", status_code=303)
    answer.set_cookie("user", user, httponly=True)
    answer.set_cookie("theme", "dark")
    return answer

@app.get("/me")
def me(user: str = Cookie(default="nobody"), theme: str = Cookie(default="")):
    return {"user": user, "theme": theme}

@app.post("/upload")
async def upload(file: UploadFile = File()):
    data = await file.read()
    return {"name": file.filename, "size": len(data), "sha": hashlib.sha256(data).hexdigest()}

@app.get("/download")
def download():
    return Response(bytes(range(256)), media_type="application/octet-stream")

handler = Mangum(app, lifespan="off")
"""

POWERTOOLS = """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="orders")
metrics = Metrics(namespace="shop", service="orders")
app = LambdaFunctionUrlResolver()

@app.get("/orders/<number>")
def order(number: str):
    logger.info("asked", extra={"number": number})
    metrics.add_metric(name="asked", unit=MetricUnit.Count, value=1)
    return {"number": number, "q": app.current_event.get_query_string_value("q")}

@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    return app.resolve(event, context)
"""

EMBEDDED = """
from aws_embedded_metrics import metric_scope

@metric_scope
def handler(event, context, metrics):
    metrics.set_namespace("till")
    metrics.put_dimensions({"branch": "north"})
    metrics.put_metric("items", event["items"], "Count")
    metrics.put_metric("took", 10, "Milliseconds")
    metrics.put_metric("took", 5, "Milliseconds")
    metrics.set_property("request", context.aws_request_id)
"""


def create(client: Any, name: str, code: bytes) -> None:
    """Create a function that has room for libraries."""
    client.create_function(
        FunctionName=name,
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Timeout=30,
        MemorySize=1024,
        Code={"ZipFile": code},
    )
    wait_active(client, name)


@pytest.fixture
def deploy_url(lambda_client: Any) -> Callable[[str, str, str], str]:
    """Deploys a framework's app and returns its URL, without the last slash."""

    def deploy(name: str, group: str, source: str) -> str:
        create(lambda_client, name, package(group, source))
        config = lambda_client.create_function_url_config(FunctionName=name, AuthType="NONE")
        address: str = config["FunctionUrl"]
        return address.rstrip("/")

    return deploy


def test_fastapi_behind_mangum(deploy_url: Callable[..., str], browser: requests.Session) -> None:
    """Routing, validation, forms, cookies over a redirect, uploads, binary answers."""
    url = deploy_url("fastapi", "web", FASTAPI)
    assert browser.get(f"{url}/items/a%20b", timeout=60).json() == {"item": "a b"}
    created = browser.post(f"{url}/items", json={"name": "tea", "price": 1.5}, timeout=60)
    assert created.json() == {"created": "tea", "double": 3.0}
    refused = browser.post(f"{url}/items", json={"name": "tea"}, timeout=60)
    assert (refused.status_code, refused.json()["detail"][0]["type"]) == (422, "missing")
    assert browser.get(f"{url}/nothing", timeout=60).status_code == 404
    after = browser.post(f"{url}/login", data={"user": "ann"}, timeout=60)
    assert after.url == f"{url}/me"
    assert after.json() == {"user": "ann", "theme": "dark"}
    assert browser.get(f"{url}/me", timeout=60).json()["user"] == "ann"
    data = os.urandom(200_000)
    uploaded = browser.post(f"{url}/upload", files={"file": ("a.bin", data)}, timeout=60)
    assert (uploaded.json()["name"], uploaded.json()["size"]) == ("a.bin", len(data))
    assert browser.get(f"{url}/download", timeout=60).content == bytes(range(256))
    assert browser.get(f"{url}/openapi.json", timeout=60).json()["info"]["title"] == "FastAPI"


def test_powertools(
    platform: Platform,
    lambda_client: Any,
    deploy_url: Callable[..., str],
    browser: requests.Session,
) -> None:
    """Its resolver answers, its logger writes JSON, and its metrics are in CloudWatch."""
    url = deploy_url("powertools", "powertools", POWERTOOLS)
    answer = browser.get(f"{url}/orders/7?q=x", timeout=60)
    assert answer.json() == {"number": "7", "q": "x"}
    logs = platform.client("logs")

    def written() -> list[dict[str, Any]]:
        events = logs.filter_log_events(logGroupName="/aws/lambda/powertools")["events"]
        return [
            json.loads(event["message"]) for event in events if event["message"].startswith("{")
        ]

    wait_for(lambda: len(written()) >= 3, "the lines are there")
    lines = written()
    (request,) = [line for line in lines if line.get("message") == "asked"]
    assert request["number"] == "7"
    assert request["function_name"] == "powertools"
    assert request["function_arn"].endswith(":function:powertools")
    assert request["cold_start"] is True
    metrics = [line for line in lines if "_aws" in line]
    assert {"asked", "ColdStart"} <= {name for line in metrics for name in line}
    of_service = {"service": "orders"}
    assert total(platform, "shop", "asked", of_service) == (1, "Count")
    of_start = {"function_name": "powertools", **of_service}
    assert total(platform, "shop", "ColdStart", of_start) == (1, "Count")


def test_embedded_metrics(platform: Platform, lambda_client: Any) -> None:
    """AWS's library for metrics in log lines, with the dimensions that it adds by itself."""
    create(lambda_client, "embedded", package("metrics", EMBEDDED))
    for items in (2, 3):
        payload, answer = invoke(lambda_client, "embedded", {"items": items})
        assert "FunctionError" not in answer, payload
    own = {
        "ServiceName": "embedded",
        "ServiceType": "AWS::Lambda::Function",
        "LogGroup": "embedded",
        "branch": "north",
    }
    assert total(platform, "till", "items", own) == (5, "Count")
    assert total(platform, "till", "took", own) == (30, "Milliseconds")


def total(
    platform: Platform, namespace: str, name: str, dimensions: Mapping[str, str]
) -> tuple[float, str]:
    """The sum of a metric's values of the last minutes, and their unit."""
    now = time.time()
    points = platform.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - 600,
        EndTime=now + 60,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    (unit,) = {point["Unit"] for point in points}
    return sum(point["Sum"] for point in points), unit
