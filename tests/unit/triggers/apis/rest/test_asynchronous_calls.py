"""`AWS` integrations that call functions later: `X-Amz-Invocation-Type: 'Event'`."""

from collections.abc import Iterator
from typing import Any

import pytest

from lambent.control.apis.v1.rules.integrations import check_integration
from lambent.model.errors import ApiError
from tests.unit.triggers.apis.serving import Served

from .apis import RestApi, serving_rest, uri

TYPE = "integration.request.header.X-Amz-Invocation-Type"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


def deploy(served: Served, parameters: dict[str, str], name: str = "later") -> RestApi:
    """`POST /` calls a function with what the template makes."""
    api = RestApi(served)
    arn = served.function("later", lambda event: {"got": event})
    integration = {
        "type": "AWS",
        "httpMethod": "POST",
        "uri": uri(arn.replace(":later", f":{name}")),
        "requestParameters": parameters,
        "requestTemplates": {"application/json": '{"asked": $input.json("$.a")}'},
        "integrationResponses": {
            "200": {"statusCode": "200"},
            "202": {
                "statusCode": "202",
                "selectionPattern": "never",
                "responseTemplates": {"application/json": "accepted"},
            },
        },
    }
    method = {"methodIntegration": integration}
    source = {"method.request.header.InvocationType": False}
    api.deploy({"POST /": {**method, "requestParameters": source}})
    return api


def post(api: RestApi, body: bytes = b'{"a": 1}', **headers: str) -> Any:
    return api.request(
        "/stage/", "POST", body=body, headers={"Content-Type": "application/json", **headers}
    )


def test_an_event_is_kept(served: Served) -> None:
    """The client gets its response before the function runs."""
    api = deploy(served, {TYPE: "'Event'"})
    calls = len(served.node.requests)
    response = post(api)
    assert (response.status, response.body) == (200, b"")
    arn = "arn:aws:lambda:us-east-1:000000000000:function:later"
    assert served.kept[-1] == (arn, b'{"asked": 1}')
    assert len(served.node.requests) == calls


def test_the_client_may_choose(served: Served) -> None:
    """If the type is mapped from a header."""
    api = deploy(served, {TYPE.lower(): "method.request.header.InvocationType"})
    kept = len(served.kept)
    assert post(api).json() == {"got": {"asked": 1}}
    assert post(api, InvocationType="RequestResponse").status == 200
    assert len(served.kept) == kept
    assert post(api, InvocationType="Event").body == b""
    assert len(served.kept) == kept + 1
    for other in ("DryRun", "event", "'Event'", "x" * 5000):
        assert post(api, InvocationType=other).status == 500
    assert len(served.kept) == kept + 1


def test_events_that_cannot_be_kept(served: Served) -> None:
    """There is no such function, or the event is larger than events may be."""
    kept = len(served.kept)
    assert post(deploy(served, {TYPE: "'Event'"}, name="missing")).status == 500
    large = b'{"a": "' + b"x" * 1_100_000 + b'"}'
    assert post(deploy(served, {TYPE: "'Event'"}), large).status == 413
    assert len(served.kept) == kept


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        ("AWS_PROXY", "'Event'", "Lambent does not support asynchronous calls"),
        ("AWS_PROXY", "method.request.header.x", "Lambent does not support asynchronous calls"),
        ("AWS", "'DryRun'", "Invalid invocation type"),
    ],
)
def test_what_would_not_be_done_is_refused(kind: str, source: str, message: str) -> None:
    """When it is configured."""
    body = {
        "type": kind,
        "httpMethod": "POST",
        "uri": uri("arn:aws:lambda:us-east-1:000000000000:function:f"),
        "requestParameters": {TYPE: source},
    }
    with pytest.raises(ApiError, match=message):
        check_integration(body, "r")
