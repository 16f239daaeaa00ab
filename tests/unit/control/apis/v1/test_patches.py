"""Patch operations: what is allowed, and how AWS words what is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.control.apis.v1 import patch_tables
from lambent.control.apis.v1.kinds import PATCHES
from lambent.control.apis.v1.patches import PATCHES_MAX, read_patches, split_pointer
from lambent.control.apis.v1.stage_patches import ALLOWED_PATHS, apply_to_stage
from lambent.model.errors import ApiError

OPS = ("add", "remove", "replace", "move", "copy", "test")


def patch(op: str, path: str, value: str | None = None) -> list[dict[str, str]]:
    found = {"op": op, "path": path}
    return [found if value is None else {**found, "value": value}]


def refusal(table: Any, body: dict[str, Any], operations: Any) -> tuple[str, str]:
    def apply() -> None:
        patches = read_patches(operations)
        apply_to_stage(body, patches) if table == "stage" else table.apply(body, patches)

    with pytest.raises(ApiError) as caught:
        apply()
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    ("table", "operations", "message"),
    [
        (
            patch_tables.RESOURCE,
            patch("replace", "/invalid", "x"),
            "Invalid patch path  '/invalid' specified for op 'replace'. Must be one of:"
            " [/parentId, /pathPart]",
        ),
        (
            patch_tables.RESOURCE,
            patch("remove", "/pathPart"),
            "Invalid patch path  '/pathPart' specified for op 'remove'. Please choose supported"
            " operations",
        ),
        (
            patch_tables.MODEL,
            patch("replace", "/name", "x"),
            "Invalid patch path  '/name' specified for op 'replace'. Must be one of:"
            " [/description, /schema]",
        ),
        (
            patch_tables.REQUEST_VALIDATOR,
            patch("replace", "/invalidPath", "x"),
            "Invalid patch path  '/invalidPath' specified for op 'replace'. Must be one of:"
            " [/name, /validateRequestParameters, /validateRequestBody]",
        ),
        (
            patch_tables.REQUEST_VALIDATOR,
            patch("replace", "/name", ""),
            "Request Validator name cannot be blank",
        ),
        (
            patch_tables.REST_API,
            patch("add", "/binaryMediaTypes", "x"),
            "Invalid patch path /binaryMediaTypes",
        ),
        (
            patch_tables.REST_API,
            patch("add", "/minimumCompressionSize", "10"),
            "Invalid patch operation specified. Must be one of: [replace]",
        ),
        (
            patch_tables.REST_API,
            patch("replace", "/minimumCompressionSize", "-1"),
            "Invalid minimum compression size, must be between 0 and 10485760",
        ),
        (
            patch_tables.REST_API,
            patch("move", "/endpointConfiguration/types/0", "REGIONAL"),
            "Invalid patch operation specified. Must be 'add'|'remove'|'replace'",
        ),
        (
            patch_tables.METHOD,
            patch("replace", "/requestModels/application/json", "Empty"),
            "Invalid patch path /requestModels/application/json",
        ),
        (
            patch_tables.METHOD,
            patch("replace", "/httpMethod", "PUT"),
            "Invalid patch path /httpMethod",
        ),
        (
            patch_tables.METHOD_RESPONSE,
            patch("replace", "/responseModels/text~1x", "Empty"),
            "Content-Type specified was not found",
        ),
        (
            patch_tables.METHOD_RESPONSE,
            patch("remove", "/responseParameters/method.response.header.x"),
            "Invalid parameter name specified",
        ),
        (
            patch_tables.GATEWAY_RESPONSE,
            patch("add", "/statusCode", "404"),
            "Invalid patch path /statusCode",
        ),
        (
            patch_tables.GATEWAY_RESPONSE,
            [{"op": "replace"}],
            "Invalid patch path null",
        ),
        (
            patch_tables.GATEWAY_RESPONSE,
            patch("add", "/responseTemplates/a~1b"),
            "Invalid null or empty value in responseTemplates",
        ),
        (
            "stage",
            patch("replace", "/documentation_version", "1"),
            "Invalid method setting path: /documentation_version. Must be one of:"
            f" [{ALLOWED_PATHS}]",
        ),
        (
            "stage",
            patch("remove", "/canarySettings/badPath"),
            "Cannot remove method setting canarySettings/badPath because there is no method setting"
            " for this method ",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_in_the_words_of_aws(
    table: Any, operations: Any, message: str
) -> None:
    """For every style that AWS has."""
    assert refusal(table, {"deploymentId": "a"}, operations)[1] == message


def test_the_paths_of_stages_are_those_of_aws() -> None:
    """With the commas that AWS leaves out."""
    assert ALLOWED_PATHS.startswith("/deploymentId, /description, /cacheClusterEnabled,")
    assert (
        "/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit" in ALLOWED_PATHS
    )
    assert "/*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching" in ALLOWED_PATHS
    assert ALLOWED_PATHS.endswith("/variables/{variable_name}, /tracingEnabled")


@pytest.mark.parametrize(
    ("body", "operations", "expected"),
    [
        (
            {"binaryMediaTypes": ["image/png", "image/jpeg"]},
            patch("replace", "/binaryMediaTypes/image~1png", "image/gif"),
            {"binaryMediaTypes": ["image/jpeg", "image/gif"]},
        ),
        (
            {"binaryMediaTypes": ["image/png"]},
            patch("remove", "/binaryMediaTypes/image~1png"),
            {},
        ),
        ({}, patch("add", "/binaryMediaTypes/-"), {"binaryMediaTypes": ["-"]}),
        ({"description": "d"}, patch("replace", "/description", ""), {}),
        ({"minimumCompressionSize": 3}, patch("replace", "/minimumCompressionSize"), {}),
        (
            {"endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"}},
            patch("replace", "/endpointConfiguration/types/EDGE", "REGIONAL"),
            {"endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}},
        ),
    ],
)
def test_lists_and_members_of_apis(body: Any, operations: Any, expected: Any) -> None:
    """What is emptied is absent: an empty member would make every list unreadable."""
    assert patch_tables.REST_API.apply(body, read_patches(operations)) == expected


def test_the_document_before_stays_as_it_was() -> None:
    """A refused operation changes nothing."""
    body = {"requestParameters": {"a": True}}
    operations = [
        *patch("add", "/requestParameters/method.request.header.x", "true"),
        *patch("remove", "/apiKeyRequired"),
    ]
    refusal(patch_tables.METHOD, body, operations)
    assert body == {"requestParameters": {"a": True}}


def test_there_are_at_most_so_many() -> None:
    """Each costs a copy of the document."""
    with pytest.raises(ApiError, match=str(PATCHES_MAX)):
        read_patches(patch("replace", "/name", "x") * (PATCHES_MAX + 1))


def test_settings_of_a_method_on_a_path() -> None:
    """Slashes of the path are written ~1, and the first is not part of the key."""
    changed = apply_to_stage(
        {"deploymentId": "a"},
        read_patches(patch("replace", "/~1pets~1{id}/GET/throttling/burstLimit", "7")),
    )
    (key,) = changed["methodSettings"]
    assert key == "pets~1{id}/GET"
    assert changed["methodSettings"][key]["throttlingBurstLimit"] == 7
    removed = apply_to_stage(changed, read_patches(patch("remove", "/~1pets~1{id}/GET")))
    assert removed["methodSettings"] == {}


@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), max_size=20))
def test_a_pointer_is_unescaped_once(text: str) -> None:
    """`~01` is `~1`, not a slash."""
    escaped = text.replace("~", "~0").replace("/", "~1")
    assert split_pointer(f"/{escaped}/b") == (text, "b")
    assert split_pointer("/a~01b") == ("a~1b",)


PATHS = sorted({row.path.replace("{}", "x") for table in PATCHES.values() for row in table.rows})
VALUES = st.none() | st.text(max_size=20) | st.sampled_from(["true", "1", "-1", "1e999", "nan"])


@given(
    st.sampled_from(sorted(PATCHES)),
    st.lists(
        st.tuples(st.sampled_from(OPS), st.sampled_from(PATHS) | st.text(max_size=20), VALUES),
        max_size=5,
    ),
)
def test_any_operation_is_applied_or_refused(kind: str, operations: Any) -> None:
    """With an error that callers can read, and nothing else."""
    given_operations = [
        {"op": op, "path": path, **({} if value is None else {"value": value})}
        for op, path, value in operations
    ]
    try:
        changed = PATCHES[kind].apply({"quota": {"limit": 1}}, read_patches(given_operations))
    except ApiError as error:
        assert error.status < 500
    else:
        assert "" not in changed.values()
        assert [] not in changed.values()
        assert {} not in changed.values()


@given(st.lists(st.tuples(st.sampled_from(OPS), st.text(max_size=40), VALUES), max_size=5))
def test_any_operation_on_a_stage_is_applied_or_refused(operations: Any) -> None:
    """Paths of stages are matched by patterns."""
    given_operations = [
        {"op": op, "path": f"/{path}", **({} if value is None else {"value": value})}
        for op, path, value in operations
    ]
    try:
        apply_to_stage({"deploymentId": "a"}, read_patches(given_operations))
    except ApiError as error:
        assert error.status < 500
