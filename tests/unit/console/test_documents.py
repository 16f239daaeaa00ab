"""Members of operations as JSON documents."""

import datetime
import json
from typing import Any

import pytest

from lambent.console.documents import read_members, write_members
from lambent.gateway.models import load_model
from lambent.model.errors import ApiError

CREATE = load_model("lambda").operation_model("CreateFunction")
DATA = load_model("cloudwatch").operation_model("GetMetricData")


def test_members_have_botocores_names_and_types() -> None:
    members = read_members(
        CREATE, b'{"FunctionName": "f", "Code": {"ZipFile": "UEs="}, "Role": null}'
    )
    assert members == {"FunctionName": "f", "Code": {"ZipFile": b"PK"}}
    members = read_members(DATA, b'{"StartTime": 1700000000, "EndTime": "2026-01-01T00:00:00Z"}')
    assert members["StartTime"].timestamp() == 1_700_000_000
    assert members["EndTime"] == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def test_outputs_become_documents() -> None:
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    output = {"MetricDataResults": [{"Id": "a", "Timestamps": [moment], "Values": [1.5]}]}
    assert json.loads(write_members(DATA, output)) == {
        "MetricDataResults": [{"Id": "a", "Timestamps": [1767225600.0], "Values": [1.5]}]
    }
    invoked = load_model("lambda").operation_model("Invoke")
    assert json.loads(write_members(invoked, {"Payload": b"{}"})) == {"Payload": "e30="}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"nothing",
        b'{"FunctionName": 5}',
        b'{"Nothing": 1}',
        b'{"Code": {"ZipFile": "***"}}',
        b'{"FunctionName": "\\ud800"}',
        b"\xff",
        b'{"MemorySize": NaN}',
        b'{"Tags": ["a"]}',
        b"[" * 100_000,
        b'{"Layers": [' + b"1," * 200_000 + b"1]}",
    ],
)
def test_hostile_documents_are_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        read_members(CREATE, body)
    assert refused.value.code == "SerializationException"


def test_deep_documents_are_refused() -> None:
    operation = load_model("dynamodb").operation_model("PutItem")
    body: Any = {"S": "x"}
    for _ in range(200):
        body = {"L": [body]}
    with pytest.raises(ApiError, match="nested too deeply"):
        read_members(operation, json.dumps({"Item": {"a": body}}).encode())
