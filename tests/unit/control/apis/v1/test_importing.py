"""OpenAPI documents that become REST APIs: those of tools, and hostile ones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.control.apis.openapi.reading import try_reading
from lambent.control.apis.v1.importing.plan import make_plan
from lambent.model.errors import ApiError

from .conftest import Call

pytestmark = pytest.mark.anyio
URI = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:111111111111:function:f/invocations"
)


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def with_paths(paths: Any) -> bytes:
    """A small document."""
    return encoded({"openapi": "3.0.1", "info": {"title": "t"}, "paths": paths})


def aws_proxy(**more: Any) -> dict[str, Any]:
    """An operation as tools write it."""
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": URI}
    return {"responses": {}, "x-amazon-apigateway-integration": {**integration, **more}}


CORS = {
    "consumes": ["application/json"],
    "produces": ["application/json"],
    "responses": {
        "200": {
            "description": "200 response",
            "schema": {"$ref": "#/definitions/Empty"},
            "headers": {"Access-Control-Allow-Origin": {"type": "string"}},
        }
    },
    "x-amazon-apigateway-integration": {
        "responses": {
            "default": {
                "statusCode": "200",
                "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
            }
        },
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "passthroughBehavior": "when_no_match",
        "type": "mock",
        "contentHandling": "CONVERT_TO_TEXT",
    },
}
CHALICE = {
    "swagger": "2.0",
    "info": {"version": "1.0", "title": "my-app"},
    "schemes": ["https"],
    "paths": {
        "/": {
            "get": {
                "consumes": ["application/json"],
                "produces": ["application/json"],
                "responses": {
                    "200": {
                        "description": "200 response",
                        "schema": {"$ref": "#/definitions/Empty"},
                    }
                },
                "x-amazon-apigateway-integration": {
                    "responses": {"default": {"statusCode": "200"}},
                    "uri": URI,
                    "passthroughBehavior": "when_no_match",
                    "httpMethod": "POST",
                    "contentHandling": "CONVERT_TO_TEXT",
                    "type": "aws_proxy",
                },
                "security": [{"auth": []}, {"api_key": []}],
                "parameters": [],
            },
            "options": CORS,
        },
        "/users/{name}": {
            "get": {
                **aws_proxy(),
                "parameters": [{"name": "name", "in": "path", "required": True, "type": "string"}],
            }
        },
    },
    "definitions": {"Empty": {"type": "object", "title": "Empty Schema"}},
    "x-amazon-apigateway-binary-media-types": ["image/png", "image/png"],
    "securityDefinitions": {
        "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
        "auth": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {
                "type": "token",
                "authorizerUri": URI,
                "authorizerResultTtlInSeconds": 300,
            },
        },
    },
}
"""What `chalice deploy` sends, but for the number of routes."""
SAM = {
    "openapi": "3.0.1",
    "info": {"version": "1.0", "title": "sam-app"},
    "paths": {
        "/{proxy+}": {
            "x-amazon-apigateway-any-method": {
                **aws_proxy(),
                "security": [{"Pool": ["a/b"]}],
                "parameters": [
                    {"name": "proxy", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
            },
            "options": {
                "x-amazon-apigateway-integration": {
                    "type": "mock",
                    "requestTemplates": {"application/json": '{\n  "statusCode" : 200\n}\n'},
                    "responses": {
                        "default": {
                            "statusCode": "200",
                            "responseTemplates": {"application/json": "{}\n"},
                            "responseParameters": {
                                "method.response.header.Access-Control-Allow-Origin": "'*'"
                            },
                        }
                    },
                },
                "summary": "CORS support",
                "responses": {
                    "200": {
                        "description": "Default response for CORS method",
                        "headers": {"Access-Control-Allow-Origin": {"schema": {"type": "string"}}},
                    }
                },
            },
        },
        "/pets": {
            "post": {
                **aws_proxy(),
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/New_Pet"}}
                    }
                },
                "x-amazon-apigateway-request-validator": "body-only",
            }
        },
    },
    "components": {
        "schemas": {
            "New_Pet": {"type": "object", "properties": {"of": {"$ref": "#/components/schemas/O"}}},
            "O": {
                "type": "object",
                "properties": {"pet": {"$ref": "#/components/schemas/New_Pet"}},
            },
        },
        "securitySchemes": {
            "Pool": {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "x-amazon-apigateway-authtype": "cognito_user_pools",
                "x-amazon-apigateway-authorizer": {
                    "type": "cognito_user_pools",
                    "providerARNs": ["arn:aws:cognito-idp:us-east-1:111111111111:userpool/us-1_x"],
                },
            }
        },
    },
    "x-amazon-apigateway-request-validators": {"body-only": {"validateRequestBody": True}},
    "x-amazon-apigateway-gateway-responses": {
        "UNAUTHORIZED": {"statusCode": 401, "responseTemplates": {"application/json": "{}"}}
    },
}
"""What SAM writes into a template for `AWS::Serverless::Api`."""


async def methods_of(call: Call, api: str) -> dict[str, Any]:
    """Methods by path and verb."""
    listed = await call("GetResources", restApiId=api, embed=["methods"])
    return {
        f"{verb} {item['path']}": method
        for item in listed["items"]
        for verb, method in item.get("resourceMethods", {}).items()
    }


async def test_what_chalice_sends(call: Call) -> None:
    """Methods with a function, an authorizer and a key; CORS as a mock."""
    made = await call("ImportRestApi", body=encoded(CHALICE))
    assert made["name"] == "my-app"
    assert made["version"] == "1.0"
    assert made["binaryMediaTypes"] == ["image/png"]
    methods = await methods_of(call, made["id"])
    assert set(methods) == {"GET /", "OPTIONS /", "GET /users/{name}"}
    (authorizer,) = (await call("GetAuthorizers", restApiId=made["id"]))["items"]
    assert authorizer["identitySource"] == "method.request.header.Authorization"
    first = methods["GET /"]
    assert (first["authorizationType"], first["authorizerId"]) == ("CUSTOM", authorizer["id"])
    assert first["apiKeyRequired"] is True
    assert first["methodIntegration"]["type"] == "AWS_PROXY"
    assert first["methodIntegration"]["passthroughBehavior"] == "WHEN_NO_MATCH"
    assert first["methodResponses"]["200"]["responseModels"] == {"application/json": "Empty"}
    assert methods["OPTIONS /"]["methodIntegration"]["integrationResponses"] == {
        "200": {
            "statusCode": "200",
            "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
        }
    }
    assert methods["GET /users/{name}"]["requestParameters"] == {"method.request.path.name": True}


async def test_what_sam_writes(call: Call) -> None:
    """3.0, any method, a user pool with scopes, models that refer to each other, responses."""
    id = (await call("ImportRestApi", body=encoded(SAM)))["id"]
    methods = await methods_of(call, id)
    assert set(methods) == {"ANY /{proxy+}", "OPTIONS /{proxy+}", "POST /pets"}
    assert methods["ANY /{proxy+}"]["authorizationScopes"] == ["a/b"]
    assert methods["POST /pets"]["requestModels"] == {"application/json": "NewPet"}
    model = await call("GetModel", restApiId=id, modelName="NewPet", flatten=False)
    reference = f"https://apigateway.amazonaws.com/restapis/{id}/models/O"
    assert json.loads(model["schema"])["properties"]["of"] == {"$ref": reference}
    flat = await call("GetModel", restApiId=id, modelName="NewPet", flatten=True)
    assert set(json.loads(flat["schema"])["definitions"]) == {"O", "NewPet"}
    template = await call("GetModelTemplate", restApiId=id, modelName="NewPet")
    assert "$inputRoot" in template["value"]
    (validator,) = (await call("GetRequestValidators", restApiId=id))["items"]
    assert methods["POST /pets"]["requestValidatorId"] == validator["id"]
    response = await call("GetGatewayResponse", restApiId=id, responseType="UNAUTHORIZED")
    assert (response["statusCode"], response["defaultResponse"]) == ("401", False)


async def test_overwriting_leaves_stages_and_the_policy(call: Call) -> None:
    """Everything else is the document's, in one transaction."""
    id = (await call("ImportRestApi", body=encoded(CHALICE)))["id"]
    await call("CreateDeployment", restApiId=id, stageName="api")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "execute-api:/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    patches = [{"op": "replace", "path": "/policy", "value": policy}]
    await call("UpdateRestApi", restApiId=id, patchOperations=patches)
    before = await call("GetRestApi", restApiId=id)
    changed = await call("PutRestApi", restApiId=id, mode="overwrite", body=encoded(SAM))
    assert changed["policy"] == before["policy"]
    assert changed["rootResourceId"] == before["rootResourceId"]
    assert "binaryMediaTypes" not in changed
    assert set(await methods_of(call, id)) == {"ANY /{proxy+}", "OPTIONS /{proxy+}", "POST /pets"}
    assert [stage["stageName"] for stage in (await call("GetStages", restApiId=id))["item"]] == [
        "api"
    ]


async def test_merging_keeps_what_the_document_lacks(call: Call) -> None:
    """What has the same path is replaced."""
    id = (await call("ImportRestApi", body=encoded(CHALICE)))["id"]
    document = {
        "swagger": "2.0",
        "info": {"title": "merged"},
        "paths": {"/users/{name}": {"get": aws_proxy(timeoutInMillis=1000)}},
    }
    await call("PutRestApi", restApiId=id, mode="merge", body=encoded(document))
    methods = await methods_of(call, id)
    assert set(methods) == {"GET /", "OPTIONS /", "GET /users/{name}"}
    assert methods["GET /users/{name}"]["methodIntegration"]["timeoutInMillis"] == 1000


@pytest.mark.parametrize(
    ("mode", "path"), [("ignore", "/a"), ("prepend", "/base/part/a"), ("split", "/part/a")]
)
def test_base_paths(mode: str, path: str) -> None:
    """They are ignored, prepended, or lose their first part."""
    server = {"url": "https://{host}/base/part/", "variables": {"host": {"default": "x"}}}
    document = {
        "openapi": "3.0.1",
        "info": {"title": "t"},
        "servers": [server],
        "paths": {"/a": {"get": aws_proxy()}},
    }
    assert make_plan(document, mode).paths == [path]


async def test_warnings_are_in_the_words_of_aws(call: Call) -> None:
    """And are an error if the caller wants it."""
    document = {
        "openapi": "3.0.1",
        "info": {"title": "t"},
        "paths": {
            "/test": {"get": aws_proxy(requestParameters={"integration.request.header.n": True})}
        },
    }
    warning = (
        "Invalid format for 'requestParameters'. Expected type string for property"
        " 'integration.request.header.n' of resource '/test' and method 'GET' but got 'true'"
    )
    made = await call("ImportRestApi", body=encoded(document))
    assert made["warnings"] == [warning]
    with pytest.raises(ApiError, match="Warnings found during import") as caught:
        await call("ImportRestApi", body=encoded(document), failOnWarnings=True)
    assert caught.value.code == "BadRequestException"
    assert len((await call("GetRestApis"))["items"]) == 1


@pytest.mark.parametrize(
    "security",
    [[{"oauth": []}], [{"unknown": []}]],
)
async def test_security_that_nothing_checks_is_refused(call: Call, security: Any) -> None:
    """AWS would import the method and leave it open."""
    document = {
        "openapi": "3.0.1",
        "info": {"title": "t"},
        "components": {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {}}}},
        "paths": {"/": {"get": {**aws_proxy(), "security": security}}},
    }
    with pytest.raises(ApiError) as caught:
        await call("ImportRestApi", body=encoded(document))
    assert caught.value.code == "BadRequestException"


async def test_an_import_that_fails_leaves_nothing(call: Call) -> None:
    """It is one transaction."""
    paths = {"/a": {"get": aws_proxy()}, "/b": {"get": aws_proxy(httpMethod="GET")}}
    document = {"openapi": "3.0.1", "info": {"title": "t"}, "paths": paths}
    with pytest.raises(ApiError, match="POST"):
        await call("ImportRestApi", body=encoded(document))
    assert (await call("GetRestApis"))["items"] == []


async def test_an_api_has_at_most_300_resources(call: Call) -> None:
    """Root included; three hundred are imported in a moment."""
    paths = {f"/p{number}": {"get": aws_proxy()} for number in range(299)}
    document = {"openapi": "3.0.1", "info": {"title": "t"}, "paths": paths}
    id = (await call("ImportRestApi", body=encoded(document)))["id"]
    root = (await call("GetRestApi", restApiId=id))["rootResourceId"]
    with pytest.raises(ApiError) as caught:
        await call("CreateResource", restApiId=id, parentId=root, pathPart="more")
    assert caught.value.code == "LimitExceededException"
    paths["/more"] = {"get": aws_proxy()}
    with pytest.raises(ApiError) as caught:
        await call("ImportRestApi", body=encoded({**document, "paths": paths}))
    assert caught.value.code == "LimitExceededException"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"a: &a [*a]",
        b"a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\nswagger: '2.0'",
        b"[" * 100_000,
        b"{'a':" * 100_000,
        encoded({"swagger": "2.0"}),
        encoded({"swagger": "1.2", "info": {"title": "t"}}),
        encoded(
            {"openapi": "3.0.1", "info": {"title": "t"}, "paths": {"/a": {"$ref": "#/paths/~1a"}}}
        ),
        encoded(
            {"openapi": "3.0.1", "info": {"title": "t"}, "paths": {"/a": {"$ref": "file:///x"}}}
        ),
        encoded(
            {"openapi": "3.0.1", "info": {"title": "t"}, "paths": {"/a": {"get": {"$ref": "#"}}}}
        ),
        with_paths({"/{a": {"get": {}}}),
        encoded({"openapi": "3.0.1", "info": {"title": []}, "paths": []}),
    ],
)
async def test_hostile_documents_are_refused(call: Call, body: bytes) -> None:
    """With a readable error."""
    with pytest.raises(ApiError) as caught:
        await call("ImportRestApi", body=body)
    assert caught.value.code == "BadRequestException"


def test_a_schema_may_not_be_deep() -> None:
    """Documents that are too deep are refused before anything recurses."""
    deep: Any = {"type": "object"}
    for _ in range(200):
        deep = {"type": "object", "properties": {"x": deep}}
    document = {"swagger": "2.0", "info": {"title": "t"}, "definitions": {"D": deep}}
    assert "nested" in str(try_reading(encoded(document)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 700) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("get", "parameters", "responses", "schema", "$ref", "security", "content"),
                    *("x-amazon-apigateway-integration", "type", "name", "in", "headers", "200"),
                    *("requestBody", "default", "statusCode", "uri", "requestTemplates"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.sampled_from(["swagger", "openapi"]))
def test_any_path_item_is_planned_or_refused(item: Any, kind: str) -> None:
    """Types that no tool writes cause a readable error and nothing else."""
    version = {"swagger": "2.0"} if kind == "swagger" else {"openapi": "3.0.1"}
    document = {**version, "info": {"title": "t"}, "paths": {"/a": item}}
    try:
        make_plan(document)
    except ApiError as error:
        assert error.status < 500
