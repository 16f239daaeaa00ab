"""CloudEvents over HTTP, mode by mode."""

import base64
from typing import Any

import pytest

from lambent.model.invocation import Succeeded

from .rig import BEARER, Rig

pytestmark = pytest.mark.anyio

EVENT = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "https://github.com/cloudevents/spec/pull",
    "type": "com.github.pull_request.opened",
    "time": "2018-04-05T17:31:00.5Z",
    "subject": "123",
    "comexampleextension": "value",
    "datacontenttype": "application/json",
    "data": {"a": 1.5},
}
STRUCTURED = {**BEARER, "Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCHED = {**BEARER, "Content-Type": "application/cloudevents-batch+json"}
BINARY = {
    **BEARER,
    **{f"ce-{name}": str(value) for name, value in EVENT.items() if not name.startswith("data")},
}


async def test_structured() -> None:
    async with Rig("cloudevents") as rig:
        assert (await rig.send(EVENT, STRUCTURED)).status == 202
        assert rig.kept == [EVENT]


async def test_batched() -> None:
    """One event for the function each."""
    async with Rig("cloudevents") as rig:
        second = {**EVENT, "id": "2"}
        assert (await rig.send([EVENT, second], BATCHED)).status == 202
        assert rig.kept == [EVENT, second]
        assert (await rig.send([], BATCHED)).status == 202
        assert (await rig.send([EVENT] * 101, BATCHED)).status == 413


async def test_binary() -> None:
    """The same event in the headers; data as its type says."""
    async with Rig("cloudevents") as rig:
        json = {"Content-Type": "application/json"}
        assert (await rig.send({"a": 1.5}, BINARY | json)).status == 202
        assert (await rig.send(b"hi", BINARY | {"Content-Type": "text/plain"})).status == 202
        octets = {"Content-Type": "application/octet-stream"}
        assert (await rig.send(b"\x00\xff", BINARY | octets)).status == 202
        assert (await rig.send(b"", BINARY | {"ce-subject": "Euro%20%E2%82%AC"})).status == 202
        assert rig.kept[0] == EVENT
        assert (rig.kept[1]["data"], rig.kept[1]["datacontenttype"]) == ("hi", "text/plain")
        assert base64.b64decode(rig.kept[2]["data_base64"]) == b"\x00\xff"
        assert rig.kept[3]["subject"] == "Euro \u20ac"
        for written in ("\u00dc".encode().decode("latin-1"), "\u00dc", "%C3%9C"):
            await rig.send(b"", BINARY | {"ce-subject": written})
            assert rig.kept[-1]["subject"] == "\u00dc"
        assert "data" not in rig.kept[3]


async def test_a_bus_gets_the_attributes() -> None:
    """As documented. What is no object is put into one."""
    async with Rig("cloudevents", is_bus=True) as rig:
        assert (await rig.send(EVENT, STRUCTURED)).status == 202
        assert (await rig.send({**EVENT, "data": [1]}, STRUCTURED)).status == 202
        assert (await rig.send(b"\x00", BINARY | {"Content-Type": "image/png"})).status == 202
        first, second, third = rig.entries
        assert first["Source"] == EVENT["source"]
        assert first["DetailType"] == EVENT["type"]
        assert first["Resources"] == ["123"]
        assert first["Time"].isoformat() == "2018-04-05T17:31:00.500000+00:00"
        assert first["Detail"] == '{"a": 1.5}'
        assert second["Detail"] == '{"data": [1]}'
        assert third["Detail"] == '{"data_base64": "AA=="}'
        assert (await rig.send({**EVENT, "time": "never"}, STRUCTURED)).status == 400


async def test_a_caller_that_waits() -> None:
    """Gets the function's response, to one event."""
    async with Rig("cloudevents", is_synchronous=True) as rig:
        rig.outcome = Succeeded(b'{"statusCode": 201, "body": "made"}')
        answer = await rig.send(EVENT, STRUCTURED)
        assert (answer.status, answer.body) == (201, b"made")
        assert (await rig.send([EVENT, EVENT], BATCHED)).status == 400


async def test_senders_that_ask_first() -> None:
    """The handshake of the webhook specification, which Azure Event Grid makes."""
    async with Rig("cloudevents", rate=2) as rig:
        asked = {"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
        answer = await rig.send(b"", asked, method="OPTIONS")
        assert answer.status == 200
        assert answer.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
        assert answer.headers["webhook-allowed-rate"] == "120"
        for origin in ("", "a\r\nSet-Cookie: b=c", "x" * 300):
            refused = await rig.send(b"", {"WebHook-Request-Origin": origin}, method="OPTIONS")
            assert refused.status == 400
            assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"id": ""},
        {"id": None},
        {"source": 5},
        {"type": {}},
        {"Upper": "x"},
        {"with-dash": "x"},
        {"extension": {"nested": 1}},
        {"extension": [1]},
        {"data_base64": "AA=="},
        {f"x{number}": 1 for number in range(100)},
    ],
)
async def test_what_is_no_cloudevent(change: dict[str, Any]) -> None:
    async with Rig("cloudevents") as rig:
        assert (await rig.send({**EVENT, **change}, STRUCTURED)).status == 400
        assert rig.kept == []


async def test_forms_that_are_not_offered() -> None:
    async with Rig("cloudevents") as rig:
        avro = {**BEARER, "Content-Type": "application/cloudevents+avro"}
        assert (await rig.send(b"", avro)).status == 415
        assert (await rig.send(EVENT, {**BEARER, "Content-Type": "application/json"})).status == 400
        assert (await rig.send(EVENT, {"Content-Type": STRUCTURED["Content-Type"]})).status == 401
        assert (await rig.send([1], STRUCTURED)).status == 400
        assert (await rig.send({}, BATCHED)).status == 400
