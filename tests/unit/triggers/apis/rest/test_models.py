"""Models of request bodies: when they are compiled, and what they refer to."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.triggers.apis.rest import body_validation
from lambent.triggers.apis.rest.body_validation import BodyValidator, Models
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from tests.unit.triggers.apis.serving import Served

from .apis import RestApi, mock, serving_rest

BASE = "https://apigateway.amazonaws.com/restapis/abc123/models/"
VALIDATED = {"requestValidatorId": "v", "requestModels": {"application/json": "A"}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


def models(**schemas: Any) -> Models:
    return Models({name: {"schema": json.dumps(schema)} for name, schema in schemas.items()})


def refers(name: str) -> Any:
    return {"properties": {"x": {"$ref": f"{BASE}{name}"}}}


def test_all_that_a_model_refers_to_is_parsed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a circle; later checks parse nothing but the body."""
    parsed: list[str] = []
    parse = body_validation.strict_json.parse_plain

    def count(text: str) -> Any:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(body_validation.strict_json, "parse_plain", count)
    all_models = models(A=refers("B"), B=refers("C"), C={**refers("A"), "type": "object"}, D={})
    validator = BodyValidator("A", all_models)
    assert not validator.is_ready
    validator.check(b"{}")
    assert validator.is_ready
    assert len(parsed) == 3
    validator.check(b'{"x": {"x": {}}}')
    with pytest.raises(GatewayError):
        validator.check(b'{"x": {"x": 1}}')
    BodyValidator("B", all_models).check(b"{}")
    assert len(parsed) == 3


@pytest.mark.parametrize("schema", ['{"type": 7}', "[", "[" * 100_000, '"text"', "{" * 10])
def test_what_is_no_model_is_a_configuration_error(schema: str) -> None:
    """Each time, and so is a model that is not there."""
    for name in ("A", "B"):
        validator = BodyValidator(name, Models({"A": {"schema": schema}}))
        for _ in range(2):
            with pytest.raises(GatewayError) as refused:
                validator.check(b"{}")
            assert refused.value.type == "API_CONFIGURATION_ERROR"


def test_no_model_is_compiled_on_the_event_loop(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request does it in a thread, the next ones find it."""
    on_loop: list[bool] = []
    load = Models.load

    def watched(self: Models, name: str) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_loop.append(False)
        else:
            on_loop.append(True)
        return load(self, name)

    monkeypatch.setattr(Models, "load", watched)
    api = RestApi(served)
    others = [
        ["model", "A", {"name": "A", "schema": json.dumps({"required": ["n"]})}],
        ["request_validator", "v", {"id": "v", "validateRequestBody": True}],
    ]
    api.deploy({"POST /": mock() | VALIDATED}, others=others)
    headers = {"Content-Type": "application/json"}
    for body, status in ((b"{}", 400), (b'{"n": 1}', 200), (b"{}", 400)):
        assert api.request("/stage", "POST", body=body, headers=headers).status == status
    assert on_loop == [False]
