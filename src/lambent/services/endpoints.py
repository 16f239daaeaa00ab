"""Endpoints of other services, and the form of forwarded requests."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from lambent.aws.clients import AwsClients
from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.identity.authorizer import Caller
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

LOCAL_SERVICES = frozenset(
    {
        *("cognito-identity", "cognito-idp", "dynamodb", "dynamodbstreams", "events", "firehose"),
        *("kafka", "kinesis", "kms", "monitoring", "mq", "pipes", "s3"),
        *(
            "s3-object-lambda",
            "scheduler",
            "secretsmanager",
            "ses",
            "sns",
            "sqs",
            "ssm",
            "states",
            "tagging",
        ),
    }
)
"""By signing name: services of the emulator, without those that would run containers or programs.
A service of the platform itself never gets there."""
_PASSED_ON = {field.name for field in dataclasses.fields(AwsSettings)}
_DEFAULTS = ServiceSettings()
_HOP_BY_HOP = frozenset(
    {
        *("connection", "content-length", "expect", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding"),
        "upgrade",
    }
)
_PUBLIC_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "content-type", "host", "user-agent", "x-amz-target"),
        "x-amzn-trace-id",
    }
)
_SAFE = "!$%&'()*+,/:;=?@[]|~{}^`\\\"<>"
"""Characters that are not quoted: a signature covers them as they were sent."""
_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?")
_PORT = re.compile(r"(?::\d{1,5})?$")
_PRESIGNED = re.compile(
    r"X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token)="
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server of a service."""

    url: str
    connect_timeout_s: float
    deadline_s: float
    is_local_services: bool


def aws_clients(settings: AwsSettings, local_services: str | None) -> AwsClients:
    """Clients that use the emulator, by its URL, for services without an endpoint in the settings.
    Without an emulator they use AWS."""
    if local_services is None:
        return AwsClients(settings)
    return AwsClients(with_local_services(settings, local_services), local_services)


def with_local_services(settings: AwsSettings, url: str) -> AwsSettings:
    """The settings with the emulator as endpoint of every service without one."""
    chosen = {
        field.name: service
        if (service := getattr(settings, field.name)).endpoint_url
        else dataclasses.replace(service, endpoint_url=url)
        for field in dataclasses.fields(settings)
    }
    return dataclasses.replace(settings, **chosen)


def find_endpoint(
    settings: AwsSettings, local_services: str | None, name: str, target: str
) -> Endpoint | None:
    """The server of the service with a signing name; None if there is none. `target` is the
    request's `X-Amz-Target`: DynamoDB Streams signs as DynamoDB."""
    if name == "dynamodb" and target.startswith("DynamoDBStreams"):
        name = "dynamodbstreams"
    service: ServiceSettings = getattr(settings, name) if name in _PASSED_ON else _DEFAULTS
    url = service.endpoint_url
    if not url and local_services is not None and name in LOCAL_SERVICES:
        url = local_services
    if not url:
        return None
    return Endpoint(
        url=url.rstrip("/"),
        connect_timeout_s=service.connect_timeout_s,
        deadline_s=service.deadline_s,
        is_local_services=url == local_services,
    )


def unknown_service(name: str, own: Sequence[str], *, has_local_services: bool) -> ApiError:
    """The error for a service without a server; the message says how the operator can add one.
    `own` are the signing names of the platform's own services."""
    cures = []
    if not has_local_services and name in LOCAL_SERVICES:
        cures.append("`lambent up --services` starts an emulator for it")
    if name in _PASSED_ON:
        cures.append(f"[aws.{name}] endpoint_url in lambent.toml names a server for it")
    others = ", ".join(sorted(LOCAL_SERVICES.difference(own))) if has_local_services else ""
    return ApiError(
        "UnknownServiceException",
        f"Lambent serves {', '.join(own[:-1])} and {own[-1]}"
        + (f", and by its emulator {others}" if others else "")
        + f"; this request is for '{name}'."
        + (f" {', or '.join(cures)}." if cures else ""),
    )


def target_of(exchange: Exchange) -> str:
    """Path and query, quoted as they were sent."""
    query = f"?{exchange.query}" if exchange.query else ""
    return quote(exchange.path + query, safe=_SAFE, encoding="latin-1")


def headers_of(exchange: Exchange) -> dict[str, str]:
    """A request's headers without those of the connection; encoded as UTF-8 they are the bytes that
    were received."""
    return {
        name: _as_sent(value) for name, value in exchange.headers.items() if name not in _HOP_BY_HOP
    }


def _as_sent(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def without_chunks(headers: Mapping[str, str], body_bytes: int) -> dict[str, str]:
    """Headers of a request whose body was signed in chunks and is whole now, as of a plain body."""
    if headers.get("x-amz-decoded-content-length") != str(body_bytes):
        return dict(headers)
    dropped = ("x-amz-decoded-content-length", "x-amz-trailer", "content-encoding")
    kept = {name: value for name, value in headers.items() if name not in dropped}
    encodings = [encoding.strip() for encoding in headers.get("content-encoding", "").split(",")]
    if others := ", ".join(
        encoding for encoding in encodings if encoding not in ("", "aws-chunked")
    ):
        kept["content-encoding"] = others
    kept["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    return kept


def for_local_services(
    headers: Mapping[str, str], target: str, caller: Caller
) -> tuple[dict[str, str], str]:
    """Headers and target for the emulator, which uses the key's id as the account and verifies
    nothing. It receives no signatures and no session tokens."""
    kept = {name: value for name, value in headers.items() if name != "x-amz-security-token"}
    if caller.service is not None:
        scope = f"{caller.scope.account}/20000101/{caller.scope.region}/{caller.service}"
        kept["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={scope}/aws4_request, SignedHeaders=host, Signature=0"
        )
    path, _, query = target.partition("?")
    fields = [parameter for parameter in query.split("&") if _PRESIGNED.match(parameter) is None]
    return kept, f"{path}?{'&'.join(fields)}" if query else path


def is_signed(exchange: Exchange) -> bool:
    """Whether a request has a signature, in a header or in its query."""
    parameters = exchange.query.split("&") if exchange.query else ()
    return "authorization" in exchange.headers or any(map(_PRESIGNED.match, parameters))


def public_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of a request that needs no permission; others could change its meaning."""
    return {name: value for name, value in headers.items() if name in _PUBLIC_HEADERS}


def plain_host(host: str) -> str:
    """The host as an address: a name could select a bucket or a service that was not authorized."""
    if _ADDRESS.fullmatch(host) is not None:
        return host
    port = _PORT.search(host)
    return f"localhost{port[0] if port is not None else ''}"


def answer_headers(raw: tuple[tuple[bytes, bytes], ...]) -> list[tuple[str, str]]:
    """Headers of a response for the client, without permissions for pages of other origins."""
    pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
    return [
        (name, value)
        for name, value in pairs
        if name.lower() not in _HOP_BY_HOP and not name.lower().startswith("access-control-")
    ]
