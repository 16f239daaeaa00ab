"""Which service an unsigned request is for, by its form."""

import functools
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from lambent.gateway.protocols.forms import read_field, read_form
from lambent.gateway.recognition import Recognition, is_public
from lambent.gateway.registry import SERVICES
from lambent.model.errors import ApiError
from lambent.services.endpoints import LOCAL_SERVICES
from tests.unit.identity.exchanges import FakeExchange

RECOGNITION = Recognition(SERVICES)
JSON = {"content-type": "application/x-amz-json-1.1"}

CLIENTS = {
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
"""What botocore calls services, if not as they sign."""
EMPTY: dict[str, Any] = {"structure": {}, "list": [], "map": {}}


class Sent(Exception):
    """Carries what would have gone out."""


def public_operations() -> list[tuple[str, str, str]]:
    """Service, signing name and operation of all that is never signed, in all of AWS."""
    session = botocore.session.get_session()
    found = []
    for name in ("cognito-identity", "cognito-idp", "signin", "sso", "sso-oidc", "sts"):
        model = session.get_service_model(name)
        found += [
            (name, model.signing_name, operation)
            for operation in model.operation_names
            if model.operation_model(operation).auth_type == "none"
        ]
    return found


@functools.cache
def sender(service: str) -> Any:
    """A client that raises what it would send."""
    client: Any = botocore.session.get_session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1",
        config=Config(signature_version=UNSIGNED, parameter_validation=False),
    )

    def stop(request: Any, **_: Any) -> None:
        raise Sent(request)

    client.meta.events.register("before-send", stop)
    return client


@pytest.mark.slow
@pytest.mark.parametrize(("service", "signing_name", "operation"), public_operations())
def test_what_is_never_signed_finds_its_service(
    service: str, signing_name: str, operation: str
) -> None:
    """As botocore sends it."""
    client = sender(service)
    model = client.meta.service_model.operation_model(operation)
    shape = model.input_shape
    given = {name: EMPTY.get(shape.members[name].type_name, "a") for name in shape.required_members}
    with pytest.raises(Sent) as sent:
        client._make_api_call(operation, given)
    request = sent.value.args[0]
    path, _, query = request.url.removeprefix("http://127.0.0.1").partition("?")
    body = request.body or b""
    exchange = FakeExchange(
        method=request.method,
        path=path,
        query=query,
        headers={
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        },
        body=body if isinstance(body, bytes) else body.encode(),
    )
    assert RECOGNITION.service_of(exchange) == signing_name
    assert is_public(exchange) == service.startswith("cognito")


@pytest.mark.slow
def test_services_are_known_by_what_their_models_say() -> None:
    """Every service that can be reached with JSON or forms is recognized."""
    session = botocore.session.get_session()
    by_signing_name: dict[str, set[str]] = {}
    for name in (
        *LOCAL_SERVICES - {"s3-object-lambda"},
        "cloudcontrol",
        "cloudformation",
        "ecr",
        "logs",
        "iam",
        "sts",
    ):
        model = session.get_service_model(CLIENTS.get(name, name))
        protocols = model.metadata.get("protocols", [model.metadata["protocol"]])
        if "json" in protocols:
            assert RECOGNITION.targets[model.metadata["targetPrefix"]] == model.signing_name
        if "query" in protocols:
            assert RECOGNITION.versions[model.api_version] == model.signing_name
        by_signing_name.setdefault(model.signing_name, set()).add(name)
    assert set(RECOGNITION.targets.values()) | set(RECOGNITION.versions.values()) <= set(
        by_signing_name
    )


@pytest.mark.parametrize(
    ("exchange", "service"),
    [
        (FakeExchange(headers={"x-amz-target": "Unknown_1.List"}), ""),
        (FakeExchange(headers={"x-amz-target": ""}), ""),
        (FakeExchange(method="POST", body=b"Action=A&Version=1999-01-01"), ""),
        (FakeExchange(method="POST", body=b"Action=GetCallerIdentity"), ""),
        (FakeExchange(method="POST", body=b"Action=A&Version=2012-11-05"), "sqs"),
        (FakeExchange(method="POST", query="Action=A&Version=2011-06-15"), "sts"),
        (FakeExchange(method="POST", path="/token", headers={"content-type": "text/plain"}), None),
        (FakeExchange(path="/bucket/key"), None),
    ],
)
def test_what_a_form_says(exchange: FakeExchange, service: str | None) -> None:
    """Nothing is guessed."""
    assert RECOGNITION.service_of(exchange) == service


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/bucket"},
        {"query": "delete"},
        {"headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"headers": {"x-amz-target": "AWSCognitoIdentityProviderService.ListUserPools"}},
        {"headers": {"x-amz-target": "AmazonSQS.SignUp"}},
    ],
)
def test_nothing_else_is_public(change: dict[str, Any]) -> None:
    """What could be read as another request needs a signature."""
    target = {"x-amz-target": "AWSCognitoIdentityProviderService.SignUp"}
    assert is_public(FakeExchange(method="POST", headers=JSON | target))
    headers = JSON | target | change.pop("headers", {})
    assert not is_public(FakeExchange(**{"method": "POST", "headers": headers} | change))


def test_forms_are_small() -> None:
    """One that would take long to read is refused, and its fields are still found."""
    assert read_form(FakeExchange(body=urlencode({"a": "b c"}).encode())) == {"a": ["b c"]}
    assert read_form(FakeExchange(query="a=1&a=2")) == {"a": ["1", "2"]}
    for body in (b"a&" * 1001, b"a=" + b"b" * 600_000):
        with pytest.raises(ApiError) as refused:
            read_form(FakeExchange(body=body))
        assert refused.value.status == 413


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"Action=List", "List"),
        (b"Action=List&Version=1", "List"),
        (b"Version=1&Action=A%2Bb+c&x=", "A+b c"),
        (b"MyAction=No&Action=Yes", "Yes"),
        (b"MyAction=No", ""),
        (b"Action=&x", ""),
        (b"Action", ""),
        (b"", ""),
        (b"Action=" + b"a" * 1_000_000, "a" * 256),
    ],
)
def test_one_field_of_a_form(body: bytes, value: str) -> None:
    """Decoded; the first counts."""
    assert read_field(FakeExchange(body=body), "Action") == value
