"""Every operation of the models, over the wire and back, with botocore as the other side."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.gateway.models import load_model
from lambent.gateway.protocols.aws_json import AWS_JSON
from lambent.gateway.protocols.query import QUERY
from lambent.gateway.protocols.registry import protocols_of
from lambent.gateway.protocols.rest_json import REST_JSON
from lambent.gateway.protocols.routes import Routes
from lambent.model.errors import ApiError
from tests.lengths import examples
from tests.unit.gateway import wire

LAMBDA = load_model("lambda")
LOGS = load_model("logs")
STS = load_model("sts")
ROUTES = Routes(LAMBDA)
EVENT_STREAMS = {"InvokeWithResponseStream", "StartLiveTail", "GetLogObject"}
"""Their answers are binary messages, which the operations write themselves."""

few = settings(max_examples=examples(12), suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.mark.slow
@few
@given(st.data())
@pytest.mark.parametrize("name", LAMBDA.operation_names)
def test_a_lambda_request_arrives_as_it_was_meant(name: str, data: st.DataObject) -> None:
    """Whatever members a client sends, the operation is found and given the same ones."""
    operation = LAMBDA.operation_model(name)
    params = data.draw(wire.members(operation.input_shape))
    exchange = wire.sent_by_botocore(operation, params)
    found = ROUTES.find(exchange)
    assert found is not None
    assert found[0].name == name
    parsed = REST_JSON.parse(operation, exchange, found[1])
    payload = (operation.input_shape.serialization if operation.input_shape else {}).get("payload")
    if payload is not None:  # an absent body is an empty one
        params.setdefault(payload, parsed.get(payload))
        parsed.setdefault(payload, None)
    assert parsed == params


@pytest.mark.slow
@few
@given(st.data())
@pytest.mark.parametrize("name", LAMBDA.operation_names)
def test_a_lambda_answer_arrives_as_it_was_meant(name: str, data: st.DataObject) -> None:
    """Whatever members an operation gives, the client reads the same ones, and the status of the
    model."""
    if name in EVENT_STREAMS:
        return
    operation = LAMBDA.operation_model(name)
    output = data.draw(wire.members(operation.output_shape))
    answer = REST_JSON.render(operation, output, "an-id")
    got = wire.read_by_botocore(operation, answer.status, answer.headers, answer.body)
    assert got.pop("ResponseMetadata")["HTTPStatusCode"] == answer.status
    shape = operation.output_shape
    for member, each in (shape.members if shape is not None else {}).items():
        if each.serialization.get("location") == "statusCode":
            assert got.pop(member) == answer.status
            output.pop(member, None)
        elif operation.has_streaming_output and each.type_name == "blob":
            assert got.pop(member).read() == output.pop(member, b"")
    assert got == output


@pytest.mark.parametrize("name", LAMBDA.operation_names)
def test_the_status_of_success_is_the_models(name: str) -> None:
    """Except where AWS is known to answer differently from its own model."""
    operation = LAMBDA.operation_model(name)
    answer = REST_JSON.render(operation, {}, "an-id")
    expected = 204 if name == "DeleteFunction" else operation.http.get("responseCode", 200)
    assert answer.status == expected
    if answer.status == 204:
        assert answer.body == b""


@pytest.mark.slow
@few
@given(st.data())
@pytest.mark.parametrize("name", LOGS.operation_names)
def test_a_logs_call_arrives_both_ways(name: str, data: st.DataObject) -> None:
    """The same for the json protocol."""
    operation = LOGS.operation_model(name)
    params = data.draw(wire.members(operation.input_shape))
    exchange = wire.sent_by_botocore(operation, params)
    assert exchange.headers["x-amz-target"] == f"Logs_20140328.{name}"
    assert AWS_JSON.parse(operation, exchange, {}) == params
    if name not in EVENT_STREAMS:
        output = data.draw(wire.members(operation.output_shape))
        answer = AWS_JSON.render(operation, output, "an-id")
        got = wire.read_by_botocore(operation, answer.status, answer.headers, answer.body)
        del got["ResponseMetadata"]
        assert got == output


def test_an_sts_call_arrives_both_ways() -> None:
    """The same for the query protocol, as far as it is spoken."""
    operation = STS.operation_model("GetCallerIdentity")
    exchange = wire.sent_by_botocore(operation, {})
    assert b"Action=GetCallerIdentity" in exchange.body
    output = {"Account": "000000000000", "UserId": "<&>", "Arn": "arn:aws:iam::000000000000:root"}
    answer = QUERY.render(operation, output, "a-request-id")
    got = wire.read_by_botocore(operation, answer.status, answer.headers, answer.body)
    assert got.pop("ResponseMetadata")["RequestId"] == "a-request-id"
    assert got == output


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [shape.name for shape in LAMBDA.error_shapes])
def test_every_modelled_error_is_understood(name: str) -> None:
    """Code, text and status arrive; the member of the text is spelt as the model does."""
    shape = LAMBDA.shape_for(name)
    members: dict[str, Any] = {"Reason": "why", "retryAfterSeconds": "7", "EC2ErrorCode": "E"}
    answer = REST_JSON.render_error(LAMBDA, ApiError(name, "a <text>", members=members), "id")
    assert answer.status == shape.metadata["error"]["httpStatusCode"]
    operation = LAMBDA.operation_model("Invoke")
    got = wire.read_by_botocore(operation, answer.status, answer.headers, answer.body)
    assert got["Error"]["Code"] == name
    assert got["Error"]["Message"] == "a <text>"
    body = json.loads(answer.body)
    spelling = next(each for each in shape.members if each.lower() == "message")
    assert body[spelling] == "a <text>"
    assert body["Type"] == ("User" if answer.status < 500 else "Service")
    assert set(body) <= set(shape.members)
    if name == "TooManyRequestsException":
        assert dict(answer.headers)["Retry-After"] == "7"
        assert body["Reason"] == "why"


@pytest.mark.parametrize(
    ("error", "body"),
    [
        (ApiError("ValidationException", "t"), {"message": "t"}),
        (ApiError("SerializationException", "t"), {"message": "t"}),
        (ApiError("AccessDeniedException", "t", status=403), {"Message": "t"}),
        (ApiError("UnrecognizedClientException", "t", status=403), {"message": "t"}),
    ],
)
def test_errors_of_the_framework_have_no_type(error: ApiError, body: dict[str, str]) -> None:
    """Errors that the model does not know have a text and nothing else."""
    answer = REST_JSON.render_error(LAMBDA, error, "id")
    assert answer.status == error.status
    assert dict(answer.headers)["x-amzn-ErrorType"] == error.code
    assert json.loads(answer.body) == body


@pytest.mark.parametrize("service", [LOGS, STS], ids=lambda service: service.service_name)
@pytest.mark.parametrize(
    "error",
    [
        ApiError("ResourceNotFoundException", "The <log> group & all"),
        ApiError("ServiceException", "ours", status=500),
        ApiError("AccessDeniedException", "no \x00\x1b control \ud800", status=403),
    ],
    ids=str,
)
def test_errors_of_the_other_protocols_are_understood(service: Any, error: ApiError) -> None:
    """In JSON and in XML code and text arrive, whatever a caller put into them."""
    answer = protocols_of(service)[0].render_error(service, error, "an-id")
    assert answer.status >= 400
    operation = service.operation_model(service.operation_names[0])
    got = wire.read_by_botocore(operation, answer.status, answer.headers, answer.body)
    code = error.code
    if service is STS and code == "AccessDeniedException":
        code = "AccessDenied"  # As the services of this protocol call it.
    assert got["Error"]["Code"] == code
    assert got["Error"]["Message"].startswith(error.message[:3])
