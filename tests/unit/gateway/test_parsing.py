"""Requests that botocore would not send: wrong types, broken JSON, odd texts."""

import base64
import datetime
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.gateway.models import load_model
from lambent.gateway.protocols.query import QUERY
from lambent.gateway.protocols.rest_json import REST_JSON
from lambent.gateway.protocols.routes import Routes
from lambent.gateway.protocols.values import from_document, scalar_from_json
from lambent.gateway.validation import validate
from lambent.model.errors import ApiError
from tests.lengths import examples
from tests.unit.gateway.wire import FakeExchange

LAMBDA = load_model("lambda")
ROUTES = Routes(LAMBDA)


def created(body: bytes) -> dict[str, Any]:
    """What CreateFunction is given for a body."""
    return REST_JSON.parse(LAMBDA.operation_model("CreateFunction"), FakeExchange(body=body), {})


def refusal(body: bytes) -> str:
    """The text with which a body is refused."""
    with pytest.raises(ApiError) as refused:
        created(body)
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)
    return refused.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"FunctionName": "f"} x',
        b"[]",
        b'"text"',
        b"1",
        b"\xff\xfe",
        b'{"FunctionName": "\xff"}',
        '{"FunctionName": "f"}'.encode("utf-16"),
        b'{"FunctionName": "\xed\xa0\x80"}',
        b'{"FunctionName": "\\ud800"}',
        b'{"Tags": {"\\udfff": "x"}}',
        b"[" * 100_000,
        b'{"Environment":' * 5000,
        b'{"Timeout": NaN}',
        b'{"Timeout": Infinity}',
        b'{"Timeout": -Infinity}',
        b'{"Timeout": 1e999}',
        b'{"Timeout": ' + b"9" * 5000 + b"}",
        b'{"Timeout": 1.5}',
        b'{"Timeout": "3"}',
        b'{"Timeout": true}',
        b'{"Timeout": []}',
        b'{"FunctionName": 3}',
        b'{"FunctionName": {}}',
        b'{"Publish": "true"}',
        b'{"Publish": 1}',
        b'{"Layers": "l"}',
        b'{"Layers": {}}',
        b'{"Layers": [1]}',
        b'{"Layers": [null]}',
        b'{"Environment": "e"}',
        b'{"Environment": []}',
        b'{"Environment": {"Variables": []}}',
        b'{"Environment": {"Variables": {"A": 1}}}',
        b'{"Code": {"ZipFile": "not base64!"}}',
        b'{"Code": {"ZipFile": "abc"}}',
        b'{"Code": {"ZipFile": 1}}',
        '{"Code": {"ZipFile": "ääää"}}'.encode(),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_wrong_bodies_are_refused(body: bytes) -> None:
    """Never a crash; and the text is short, whatever was sent."""
    assert len(refusal(body)) < 500


def test_what_is_unknown_or_null_is_ignored() -> None:
    """New clients may send members that this model does not know."""
    body: dict[str, Any] = {
        "FunctionName": "f",
        "New": {"a": [1]},
        "Runtime": None,
        "Environment": {"X": 1},
    }
    body |= {"Tags": {"a": None, "b": "c"}}
    assert created(json.dumps(body).encode()) == {
        "FunctionName": "f",
        "Environment": {},
        "Tags": {"b": "c"},
    }


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_an_empty_body_is_an_empty_object(body: bytes) -> None:
    """Clients leave out what they have nothing to say in."""
    assert created(body) == {}


def test_whole_numbers_may_be_written_with_a_fraction() -> None:
    """`3.0` is three, as some JSON writers say it."""
    timeout = created(b'{"Timeout": 3.0}')["Timeout"]
    assert timeout == 3
    assert type(timeout) is int


@pytest.mark.parametrize("value", ["1_0", " 5", "٣", "0x10", "1.0", "", "9" * 5000, "+", "--1"])
def test_numbers_in_a_query_are_plain(value: str) -> None:
    """Python's own spellings of numbers are not the API's."""
    exchange = FakeExchange(query=f"MaxItems={value}")
    with pytest.raises(ApiError) as refused:
        REST_JSON.parse(LAMBDA.operation_model("ListFunctions"), exchange, {})
    assert refused.value.code == "SerializationException"


def test_numbers_in_a_query_are_numbers() -> None:
    """And may be negative: that is for validation to refuse."""
    exchange = FakeExchange(query="MaxItems=-5")
    assert REST_JSON.parse(LAMBDA.operation_model("ListFunctions"), exchange, {}) == {
        "MaxItems": -5
    }


@pytest.mark.parametrize("value", [1.5e9, 1_500_000_000, "2017-07-14T02:40:00Z", "1500000000"])
def test_timestamps_have_several_spellings(value: object) -> None:
    """Numbers and ISO 8601."""
    shape = LAMBDA.shape_for("Date")
    moment = from_document(shape, value, "Date", scalar_from_json)
    assert moment == datetime.datetime(2017, 7, 14, 2, 40, tzinfo=datetime.UTC)


@pytest.mark.parametrize("value", ["x", "", 1e300, -1e300, {}, [], True, "2017-99-99", "9" * 400])
def test_wrong_timestamps_are_refused(value: object) -> None:
    """Whatever the calendar does not have."""
    with pytest.raises(ApiError) as refused:
        from_document(LAMBDA.shape_for("Date"), value, "Date", scalar_from_json)
    assert refused.value.code == "SerializationException"


@pytest.mark.parametrize("size", [0, 1, 786_431, 786_432, 786_433, 2_000_000])
def test_packages_of_any_size_are_decoded(size: int) -> None:
    """Large ones step by step, with the same result."""
    package = bytes(range(256)) * (size // 256 + 1)
    body = json.dumps({"Code": {"ZipFile": base64.b64encode(package[:size]).decode()}})
    assert created(body.encode()) == {"Code": {"ZipFile": package[:size]}}


@pytest.mark.slow
@pytest.mark.parametrize("place", [5, (1 << 20) - 1, (1 << 20) + 1, 1_500_000])
@pytest.mark.parametrize("bad", ["=", "!", "ä", "\n"])
def test_a_bad_character_in_a_package_is_found(place: int, bad: str) -> None:
    """Wherever it is."""
    text = "A" * place + bad + "A" * (1_999_999 - place)
    assert "base64" in refusal(json.dumps({"Code": {"ZipFile": text}}).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "FunctionName",
                    "Code",
                    "ZipFile",
                    "Environment",
                    "Variables",
                    "Layers",
                    "Timeout",
                    "VpcConfig",
                    "SubnetIds",
                    "FileSystemConfigs",
                    "Arn",
                    "Tags",
                    "Publish",
                    "x",
                ]
            ),
            below,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=examples(400), derandomize=True)
@given(JSON)
def test_no_json_is_too_odd(document: object) -> None:
    """Any JSON is read or refused with an error of the API."""
    try:
        params = created(json.dumps(document).encode())
        validate(LAMBDA.operation_model("CreateFunction"), params)
    except ApiError as error:
        assert error.code in ("SerializationException", "ValidationException")


@settings(max_examples=examples(300), derandomize=True)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", ""]),
    st.text(st.sampled_from("/ab%2F0.{}:-+~é\x00?&=" + "1"), max_size=30).map(
        lambda text: "/" + text
    )
    | st.lists(
        st.sampled_from(
            ["2015-03-31", "functions", "", "f", "%", "%zz", "..", "code", "tags", "list"]
        )
    ).map(lambda parts: "/" + "/".join(parts)),
    st.text(max_size=20),
)
def test_no_path_is_too_odd(method: str, path: str, query: str) -> None:
    """Any path leads to one operation or to none."""
    found = ROUTES.find(FakeExchange(method, path, query))
    assert found is None or found[0].http["method"] == method


@pytest.mark.parametrize(
    ("method", "target", "name", "labels"),
    [
        ("GET", "/2015-03-31/functions", "ListFunctions", {}),
        ("GET", "/2015-03-31/functions/", "ListFunctions", {}),
        ("POST", "/2015-03-31/functions/f/invocations/", "Invoke", {"FunctionName": "f"}),
        ("GET", "/2015-03-31/functions/a%3Ab", "GetFunction", {"FunctionName": "a:b"}),
        ("GET", "/2015-03-31/functions/a%2Fb", "GetFunction", {"FunctionName": "a/b"}),
        ("GET", "/2015-03-31/functions/versions", "GetFunction", {"FunctionName": "versions"}),
        ("GET", "/2018-10-31/layers?find=LayerVersion&Arn=x", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers?Arn=x&find=LayerVersion", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers?find=Other", "ListLayers", {}),
        ("GET", "/2018-10-31/layers", "ListLayers", {}),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?List=ALL",
            "ListProvisionedConcurrencyConfigs",
            {"FunctionName": "f"},
        ),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1",
            "GetProvisionedConcurrencyConfig",
            {"FunctionName": "f"},
        ),
    ],
)
def test_routes(method: str, target: str, name: str, labels: dict[str, str]) -> None:
    """Literal queries choose between operations; labels are decoded once."""
    path, _, query = target.partition("?")
    found = ROUTES.find(FakeExchange(method, path, query))
    assert found is not None
    assert (found[0].name, found[1]) == (name, labels)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("PATCH", "/2015-03-31/functions/f"),
        ("POST", "/2015-03-31/functions//invocations"),
        ("GET", "/2015-03-31/functions/f/nothing"),
        ("GET", "/2015-03-31/function"),
        ("GET", "/2015-03-31/functions/f/versions/1/more"),
        ("GET", "/" * 1000),
        ("GET", "/a" * 100_000),
    ],
)
def test_paths_that_lead_nowhere(method: str, path: str) -> None:
    """What the model does not know is not guessed."""
    assert ROUTES.find(FakeExchange(method, path)) is None


def test_lists_in_forms() -> None:
    """In the order of their numbers, whatever order and gaps they have; nonsense is no member."""
    operation = load_model("iam").operation_model("TagUser")

    def parsed(**fields: str) -> dict[str, Any]:
        form = {name.replace("_", "."): value for name, value in fields.items()}
        return QUERY.parse(operation, FakeExchange(body=urlencode(form).encode()), {})

    tag = {"Key": "a", "Value": "1"}
    assert parsed(UserName="u", Tags_member_1_Key="a", Tags_member_1_Value="1") == {
        "UserName": "u",
        "Tags": [tag],
    }
    assert parsed(Tags_member_10_Key="z", Tags_member_9_Key="a", Tags_member_9_Value="1") == {
        "Tags": [tag, {"Key": "z"}]
    }
    assert parsed(Tags="x", Tags_member="y", Tags_member_0_Key="a", Tags_member_x_Key="b") == {
        "Tags": []
    }
    assert parsed(UserName_more="x", UserName__="y", _="z", Tags__member="w") == {"Tags": []}
    assert parsed(**{"Tags" + "_member" * 5000: "x"}) == {"Tags": []}
