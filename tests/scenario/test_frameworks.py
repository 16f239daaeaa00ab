"""Frameworks that people have, unmodified: FastAPI behind a function URL, Powertools inside a
function. `apis/test_frameworks.py` has more of them, behind APIs."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.packages import package

from .conftest import PYTHON, ROLE, Platform, wait_active, wait_for

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


@pytest.fixture
def deploy_url(lambda_client: Any) -> Callable[[str, str, str], str]:
    """Deploys a framework's app and returns its URL, without the last slash."""

    def deploy(name: str, group: str, source: str) -> str:
        lambda_client.create_function(
            FunctionName=name,
            Runtime=PYTHON,
            Role=ROLE,
            Handler="app.handler",
            Timeout=30,
            MemorySize=1024,
            Code={"ZipFile": package(group, source)},
        )
        wait_active(lambda_client, name)
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
    """Its resolver answers, its logger and metrics write what CloudWatch would read."""
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
