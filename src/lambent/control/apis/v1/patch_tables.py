"""What Update operations may change, by kind of document. What values are allowed is up to the
kind's check, which sees the document as it would be.
https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from typing import Any

from lambent.control.apis.v1.changes import entry, flag, item, number, refused, removal, text, whole
from lambent.control.apis.v1.patches import Body, Patch, PatchTable, Row, Style

COMPRESSION_BYTES_MAX = 10_485_760
COMPRESSION_REFUSAL = (
    f"Invalid minimum compression size, must be between 0 and {COMPRESSION_BYTES_MAX}"
)
TIMEOUT_MS_MIN, TIMEOUT_MS_MAX = 50, 29_000
STREAM_TIMEOUT_MS_MAX = 900_000
"""Of an integration that streams its responses."""
TTL_S_MAX = 3600
TTL_REFUSAL = f"Authorizer result TTL must be between 0 and {TTL_S_MAX} seconds."
COUNT_MAX = 2**31 - 1
_ALL = ("add", "remove", "replace")
_NO_CONTENT_TYPE = "Content-Type specified was not found"
_BAD_TYPE_OP = "Invalid patch operation specified. Must be 'add'|'remove'|'replace'"


def timeout_refusal(longest_ms: int) -> str:
    """Why a timeout is refused."""
    return f"Timeout should be between {TIMEOUT_MS_MIN} ms and {longest_ms} ms"


def _texts(*names: str) -> tuple[Row, ...]:
    """Rows of members that are plain texts."""
    return tuple(Row(f"/{name}", text(name)) for name in names)


def _map(name: str, missing: str = "Invalid parameter name specified") -> Row:
    """The row of a map of texts."""
    return Row(f"/{name}/{{}}", entry(name, missing), _ALL)


def _flags(name: str) -> Row:
    """The row of a map of booleans."""
    return Row(f"/{name}/{{}}", entry(name, is_flag=True), _ALL)


def _items(name: str) -> tuple[Row, ...]:
    """Rows of a list that is changed by item: in the path, or as the value."""
    ops = ("add", "remove")
    return (Row(f"/{name}/{{}}", item(name), ops), Row(f"/{name}", item(name), ops))


def _endpoint_type(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
    """An API has one type, so what is added or replaced is the whole list. A private API has both
    families of addresses."""
    endpoint: dict[str, Any] = body.setdefault("endpointConfiguration", {})
    if patch.op != "remove":
        endpoint["types"] = [patch.text]


_ENDPOINT = (
    Row("/endpointConfiguration/types/{}", _endpoint_type, _ALL, _BAD_TYPE_OP),
    Row("/endpointConfiguration/ipAddressType", text("endpointConfiguration.ipAddressType")),
    Row("/endpointConfiguration/vpcEndpointIds", refused("private APIs"), ("add", "remove")),
)

REST_API = PatchTable(
    (
        Row("/name", text("name", "API name cannot be empty")),
        *_texts("description", "version", "policy", "apiKeySource", "securityPolicy"),
        Row("/disableExecuteApiEndpoint", flag("disableExecuteApiEndpoint")),
        Row(
            "/minimumCompressionSize",
            whole(
                "minimumCompressionSize",
                0,
                COMPRESSION_BYTES_MAX,
                COMPRESSION_REFUSAL,
                may_be_unset=True,
            ),
        ),
        Row("/binaryMediaTypes/{}", item("binaryMediaTypes"), _ALL),
        *_ENDPOINT,
    )
)
RESOURCE = PatchTable(_texts("parentId", "pathPart"), Style.LISTED)
METHOD = PatchTable(
    (
        *_texts("authorizationType", "authorizerId", "operationName", "requestValidatorId"),
        Row("/apiKeyRequired", flag("apiKeyRequired")),
        *_items("authorizationScopes"),
        _flags("requestParameters"),
        _map("requestModels", _NO_CONTENT_TYPE),
    )
)
METHOD_RESPONSE = PatchTable(
    (_flags("responseParameters"), _map("responseModels", _NO_CONTENT_TYPE))
)
INTEGRATION = PatchTable(
    (
        *_texts("uri", "httpMethod", "credentials", "passthroughBehavior", "contentHandling"),
        *_texts("cacheNamespace"),
        # How long a timeout may be depends on the other members: the check of the whole says so.
        Row(
            "/timeoutInMillis",
            whole("timeoutInMillis", 0, COUNT_MAX, timeout_refusal(TIMEOUT_MS_MAX)),
        ),
        _map("requestParameters"),
        _map("requestTemplates", _NO_CONTENT_TYPE),
        *_items("cacheKeyParameters"),
        *_texts("connectionType", "connectionId", "responseTransferMode"),
        Row("/integrationTarget", refused("VPC links"), _ALL),
        Row(
            "/tlsConfig/insecureSkipVerification", flag("tlsConfig.insecureSkipVerification"), _ALL
        ),
    )
)
INTEGRATION_RESPONSE = PatchTable(
    (
        Row("/selectionPattern", text("selectionPattern"), _ALL),
        *_texts("contentHandling"),
        _map("responseParameters"),
        _map("responseTemplates", _NO_CONTENT_TYPE),
    )
)
DEPLOYMENT = PatchTable(_texts("description"), Style.LISTED)
MODEL = PatchTable(_texts("description", "schema"), Style.LISTED)
REQUEST_VALIDATOR = PatchTable(
    (
        Row("/name", text("name", "Request Validator name cannot be blank")),
        Row("/validateRequestParameters", flag("validateRequestParameters")),
        Row("/validateRequestBody", flag("validateRequestBody")),
    ),
    Style.LISTED,
)
AUTHORIZER = PatchTable(
    (
        *_texts("name", "type", "authType", "authorizerUri", "authorizerCredentials"),
        *_texts("identitySource", "identityValidationExpression"),
        Row(
            "/authorizerResultTtlInSeconds",
            whole("authorizerResultTtlInSeconds", 0, TTL_S_MAX, TTL_REFUSAL, may_be_unset=True),
        ),
        *_items("providerARNs"),
    )
)
GATEWAY_RESPONSE = PatchTable(
    (
        *_texts("statusCode"),
        Row(
            "/responseParameters/{}",
            entry("responseParameters", blank="Invalid null or empty value in responseParameters"),
            _ALL,
        ),
        Row(
            "/responseTemplates/{}",
            entry("responseTemplates", blank="Invalid null or empty value in responseTemplates"),
            _ALL,
        ),
    ),
    Style.PATHS_ONLY,
)
DOCUMENTATION_PART = PatchTable(_texts("properties"), Style.LISTED)
DOCUMENTATION_VERSION = PatchTable(_texts("description"), Style.LISTED)
API_KEY = PatchTable(
    (
        *_texts("name", "description", "customerId"),
        Row("/enabled", flag("enabled")),
        Row("/stages", refused("API keys that belong to stages; use usage plans"), _ALL),
    )
)
USAGE_PLAN = PatchTable(
    (
        *_texts("name", "description"),
        Row("/productCode", refused("AWS Marketplace"), _ALL),
        Row("/throttle", removal("throttle"), ("remove",)),
        Row(
            "/throttle/burstLimit",
            whole("throttle.burstLimit", 0, COUNT_MAX, "Invalid burst limit."),
            ("add", "replace"),
        ),
        Row(
            "/throttle/rateLimit",
            number("throttle.rateLimit", 0, COUNT_MAX, "Invalid rate limit."),
            ("add", "replace"),
        ),
        Row("/quota", removal("quota"), ("remove",)),
        *(
            Row(
                f"/quota/{name}",
                whole(f"quota.{name}", 0, COUNT_MAX, f"Invalid quota {name}."),
                ("add", "replace"),
            )
            for name in ("limit", "offset")
        ),
        Row("/quota/period", text("quota.period"), ("add", "replace")),
    )
)
ACCOUNT = PatchTable(
    (
        *_texts("cloudwatchRoleArn"),
        Row("/features", refused("other features of accounts"), ("add", "remove")),
    )
)
DOMAIN_NAME = PatchTable(
    (
        *_texts("certificateName", "certificateArn", "regionalCertificateName"),
        *_texts("regionalCertificateArn", "securityPolicy"),
        *_ENDPOINT,
        *(
            Row(f"/mutualTlsAuthentication/{name}", refused("mutual TLS"), _ALL)
            for name in ("truststoreUri", "truststoreVersion")
        ),
    )
)
BASE_PATH_MAPPING = PatchTable(_texts("basePath", "restapiId", "stage"))
