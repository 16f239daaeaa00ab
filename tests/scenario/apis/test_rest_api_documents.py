"""OpenAPI documents, domain names and tags of REST APIs over HTTP, with boto3."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.platforms import Platform

from .test_rest_apis import LAMBDA, apis, refusal, replace, without_metadata

__all__ = ["apis"]

DOCUMENT = {
    "openapi": "3.0.1",
    "info": {"title": "documented", "version": "7", "description": "An API."},
    "servers": [{"url": "https://example.com/v1"}],
    "paths": {
        "/pets/{id}": {
            "get": {
                "operationId": "getPet",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "full", "in": "query", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "description": "200 response",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}
                        },
                    }
                },
                "security": [{"mine": []}, {"api_key": []}],
                "x-amazon-apigateway-request-validator": "all",
                "x-amazon-apigateway-integration": {
                    "type": "aws_proxy",
                    "httpMethod": "POST",
                    "uri": LAMBDA,
                    "passthroughBehavior": "when_no_match",
                },
            }
        }
    },
    "components": {
        "schemas": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "securitySchemes": {
            "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
            "mine": {
                "type": "apiKey",
                "name": "Auth",
                "in": "header",
                "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": LAMBDA},
            },
        },
    },
    "x-amazon-apigateway-request-validators": {"all": {"validateRequestParameters": True}},
    "x-amazon-apigateway-gateway-responses": {"THROTTLED": {"statusCode": "420"}},
    "x-amazon-apigateway-binary-media-types": ["image/png"],
}


@pytest.fixture
def imported(apis: Any) -> Iterator[Any]:
    """An API of the document, deployed to the stage `dev`."""
    made = apis.import_rest_api(
        body=json.dumps(DOCUMENT).encode(),
        parameters={"basepath": "prepend", "endpointConfigurationTypes": "REGIONAL"},
    )
    apis.create_deployment(restApiId=made["id"], stageName="dev")
    yield made
    apis.delete_rest_api(restApiId=made["id"])


def test_an_import_takes_parameters(apis: Any, imported: Any) -> None:
    """They are further parameters of the query."""
    assert imported["endpointConfiguration"]["types"] == ["REGIONAL"]
    assert imported["name"] == "documented"
    paths = [item["path"] for item in apis.get_resources(restApiId=imported["id"])["items"]]
    assert paths == ["/", "/v1", "/v1/pets", "/v1/pets/{id}"]


@pytest.mark.parametrize("kind", ["oas30", "swagger"])
def test_an_export_makes_the_same_api(apis: Any, imported: Any, kind: str) -> None:
    """Methods, models, authorizers and responses of an API that is made of it are the same."""
    at = {"restApiId": imported["id"], "stageName": "dev"}
    exported = apis.get_export(
        **at, exportType=kind, parameters={"extensions": "apigateway"}, accepts="application/json"
    )
    assert exported["contentType"] == "application/octet-stream"
    assert f'filename="{kind}_' in exported["contentDisposition"]
    document = exported["body"].read()
    again = apis.import_rest_api(body=document)
    for list_of in (apis.get_models, apis.get_request_validators, apis.get_authorizers):
        first, second = (
            [{**item, "id": ""} for item in list_of(restApiId=id)["items"]]
            for id in (imported["id"], again["id"])
        )
        assert first == second

    def methods(id: str) -> Any:
        listed = apis.get_resources(restApiId=id, embed=["methods"])["items"]
        return {
            (item["path"], verb): {
                **method,
                "authorizerId": bool(method.get("authorizerId")),
                "requestValidatorId": bool(method.get("requestValidatorId")),
                "methodIntegration": {**method["methodIntegration"], "cacheNamespace": ""},
            }
            for item in listed
            for verb, method in item.get("resourceMethods", {}).items()
        }

    assert methods(imported["id"]) == methods(again["id"])
    response = apis.get_gateway_response(restApiId=again["id"], responseType="THROTTLED")
    assert response["statusCode"] == "420"
    apis.delete_rest_api(restApiId=again["id"])


def test_an_export_is_of_what_is_deployed(apis: Any, imported: Any) -> None:
    """In YAML too, and without extensions unless they are asked for."""
    at = {"restApiId": imported["id"], "stageName": "dev"}
    empty = {"openapi": "3.0.1", "info": {"title": "changed"}}
    apis.put_rest_api(restApiId=imported["id"], mode="overwrite", body=json.dumps(empty).encode())
    exported = apis.get_export(**at, exportType="oas30", accepts="application/yaml")
    document = yaml.safe_load(exported["body"].read())
    assert document["info"]["title"] == "documented"
    assert not any(name.startswith("x-amazon") for name in document)
    url = document["servers"][0]["url"]
    assert url == f"https://{imported['id']}.execute-api.us-east-1.localhost/{{basePath}}"
    assert refusal(apis.get_export, **at, exportType="raml")[0] == "BadRequestException"


def test_documentation_is_imported(apis: Any, imported: Any) -> None:
    """Parts replace those of the same place."""
    part = {"location": {"type": "API"}, "properties": {"description": "d"}}
    document = {
        **DOCUMENT,
        "x-amazon-apigateway-documentation": {"documentationParts": [part]},
    }
    found = apis.import_documentation_parts(
        restApiId=imported["id"], mode="overwrite", body=json.dumps(document).encode()
    )
    (listed,) = apis.get_documentation_parts(restApiId=imported["id"])["items"]
    assert found["ids"] == [listed["id"]]
    assert refusal(apis.import_documentation_parts, restApiId=imported["id"], body=b"{")[0] == (
        "BadRequestException"
    )


def test_domain_names_lead_to_stages(apis: Any, imported: Any) -> None:
    """Both models show them; an API with a mapping stays."""
    id = imported["id"]
    made = apis.create_domain_name(
        domainName="rest.example.com", endpointConfiguration={"types": ["REGIONAL"]}
    )
    assert made["domainNameStatus"] == "AVAILABLE"
    assert made["regionalDomainName"].endswith(".execute-api.us-east-1.localhost")
    at = {"domainName": "rest.example.com"}
    mapping = apis.create_base_path_mapping(**at, restApiId=id, stage="dev", basePath="pets")
    assert without_metadata(mapping) == {"basePath": "pets", "restApiId": id, "stage": "dev"}
    moved = apis.update_base_path_mapping(
        **at, basePath="pets", patchOperations=replace("/basePath", "animals")
    )
    assert moved["basePath"] == "animals"
    assert refusal(apis.delete_rest_api, restApiId=id) == (
        "BadRequestException",
        "Please remove all base path mappings related to the API in your account and try again.",
        400,
    )
    assert refusal(apis.create_base_path_mapping, **at, restApiId=id)[0] == "BadRequestException"
    apis.delete_base_path_mapping(**at, basePath="animals")
    root = apis.create_base_path_mapping(**at, restApiId=id, stage="dev")
    assert root["basePath"] == "(none)"
    assert apis.get_base_path_mapping(**at, basePath="(none)")["restApiId"] == id
    mtls = {"truststoreUri": "s3://a/b"}
    assert (
        refusal(apis.create_domain_name, domainName="m.example.com", mutualTlsAuthentication=mtls)[
            0
        ]
        == "BadRequestException"
    )
    apis.delete_domain_name(**at)
    assert refusal(apis.get_domain_name, **at)[0] == "NotFoundException"


def test_tags(apis: Any, platform: Platform, imported: Any) -> None:
    """Of APIs, stages, keys and plans, by ARN."""
    key = apis.create_api_key(name="tagged")
    for path in (f"restapis/{imported['id']}", f"restapis/{imported['id']}/stages/dev"):
        arn = f"arn:aws:apigateway:us-east-1::/{path}"
        apis.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
        apis.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert apis.get_tags(resourceArn=arn)["tags"] == {"b": "2"}
    arn = f"arn:aws:apigateway:us-east-1::/apikeys/{key['id']}"
    apis.tag_resource(resourceArn=arn, tags={"a": "1"})
    assert apis.get_api_key(apiKey=key["id"])["tags"] == {"a": "1"}
    apis.delete_api_key(apiKey=key["id"])
    gone = refusal(apis.get_tags, resourceArn=arn)
    assert gone[0] == "NotFoundException"
    assert apis.get_rest_api(restApiId=imported["id"])["tags"] == {"b": "2"}


def test_what_is_not_offered_says_so(apis: Any, imported: Any) -> None:
    """VPC links, client certificates and SDKs."""
    for call, params in (
        (apis.create_vpc_link, {"name": "a", "targetArns": ["arn:aws:x"]}),
        (apis.generate_client_certificate, {}),
        (apis.get_sdk_types, {}),
    ):
        code, text, _ = refusal(call, **params)
        assert code == "BadRequestException"
        assert text.startswith("Lambent does not offer")
    for patch in (
        replace("/minimumCompressionSize", "100"),
        replace("/endpointConfiguration/types/0", "PRIVATE"),
    ):
        code, text, _ = refusal(
            apis.update_rest_api, restApiId=imported["id"], patchOperations=patch
        )
        assert code == "BadRequestException"
        assert text.startswith("Lambent does not support")
