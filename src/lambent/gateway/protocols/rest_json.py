"""rest-json: operations have paths, documents are JSON. Lambda and API Gateway speak it.
https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from typing import Any

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, ServiceModel, Shape
from lambent.gateway.protocols.documents import decode_json, encode_json
from lambent.gateway.protocols.protocol import Labels, WireResponse
from lambent.gateway.protocols.rest import RestProtocol, read_outside_body, write_outside_body
from lambent.gateway.protocols.values import (
    from_document,
    members_from_document,
    scalar_from_json,
    scalar_to_json,
    serialization_error,
    to_document,
)
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError


class RestJson(RestProtocol):
    """See `WireProtocol`."""

    name = "rest-json"

    def parse(
        self, operation: OperationModel, exchange: Exchange, labels: Labels
    ) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None:
            return {}
        found = read_outside_body(shape, exchange, labels)
        params, payload = found.params, found.payload
        if payload is not None:
            member = shape.members[payload]
            if member.type_name == "blob":
                params[payload] = exchange.body
            elif exchange.body:
                document = decode_json(exchange.body)
                params[payload] = from_document(member, document, payload, scalar_from_json)
        elif found.in_body and exchange.body.strip():
            document = decode_json(exchange.body)
            if not isinstance(document, dict):
                raise serialization_error("the body is not a JSON object")
            params |= members_from_document(found.in_body, document, "", scalar_from_json)
        return params

    def render(self, operation: OperationModel, output: Members, request_id: str) -> WireResponse:
        written = write_outside_body(operation, output)
        status, headers, payload = written.status, written.headers, written.payload
        shape = operation.output_shape
        if shape is None or status == 204:
            return WireResponse(status, headers, b"")
        if all(name != "Content-Type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        if payload is None:
            document = {
                member.serialization.get("name", name): to_document(
                    member, output[name], scalar_to_json
                )
                for name, member in written.in_body.items()
            }
            return WireResponse(status, headers, encode_json(document))
        member, value = shape.members[payload], output.get(payload)
        if member.type_name == "blob":
            return WireResponse(status, headers, value or b"")
        document = to_document(member, value or {}, scalar_to_json)
        return WireResponse(status, headers, encode_json(document))

    def render_error(self, service: ServiceModel, error: ApiError, request_id: str) -> WireResponse:
        shape = service.shape_for_error_code(error.code)
        status, headers, document = _lay_out(shape, error)
        headers += [("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code)]
        return WireResponse(status, headers, encode_json(document))


def _lay_out(
    shape: Shape | None, error: ApiError
) -> tuple[int, list[tuple[str, str]], dict[str, Any]]:
    """Status, header members and body. What the model does not know has no `Type`."""
    if shape is None:
        capital = error.code in ("AccessDeniedException", "MissingAuthenticationTokenException")
        return error.status, [], {"Message" if capital else "message": error.message}
    status = int(shape.metadata.get("error", {}).get("httpStatusCode", error.status))
    document: dict[str, Any] = {}
    headers = []
    for name, member in shape.members.items():
        value = error.members.get(name)
        if name == "Type" and name not in error.members:
            value = "User" if status < 500 else "Service"
        elif name.lower() == "message":
            value = error.message
        if value is None:
            continue
        if member.serialization.get("location") == "header":
            headers.append((member.serialization["name"], str(value)))
        else:
            document[member.serialization.get("name", name)] = value
    return status, headers, document


REST_JSON = RestJson()
