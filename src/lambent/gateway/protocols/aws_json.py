"""json, versions 1.0 and 1.1: every request is a POST to `/`, and `X-Amz-Target` names service and
operation. CloudWatch Logs speaks it.
https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from typing import Any

from lambent.gateway.call import Members
from lambent.gateway.models import OperationModel, ServiceModel
from lambent.gateway.protocols.documents import decode_json, encode_json
from lambent.gateway.protocols.protocol import Labels, WireResponse, unknown_operation
from lambent.gateway.protocols.rpc import NamedOperations, error_shape, query_error_header
from lambent.gateway.protocols.values import (
    from_document,
    scalar_from_json,
    scalar_to_json,
    to_document,
)
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError


class AwsJson:
    """See `WireProtocol`."""

    name = "json"
    is_rest = False

    def is_spoken_in(self, exchange: Exchange) -> bool:
        return "x-amz-target" in exchange.headers

    def router(self, service: ServiceModel) -> NamedOperations:
        begin = f"{service.metadata.get('targetPrefix', '')}."

        def read_name(exchange: Exchange) -> str:
            target = exchange.headers.get("x-amz-target", "")
            return target.removeprefix(begin) if target.startswith(begin) else ""

        return NamedOperations(service, read_name)

    def unknown_operation(self, exchange: Exchange) -> ApiError:
        name = exchange.headers.get("x-amz-target", "").partition(".")[2]
        return unknown_operation(name[:200] or "none", status=400)

    def parse(
        self, operation: OperationModel, exchange: Exchange, labels: Labels
    ) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None or not exchange.body.strip():
            return {}
        document = decode_json(exchange.body)
        params: dict[str, Any] = from_document(shape, document, "", scalar_from_json)
        return params

    def render(self, operation: OperationModel, output: Members, request_id: str) -> WireResponse:
        shape = operation.output_shape
        document = {} if shape is None else to_document(shape, output, scalar_to_json)
        headers = [("Content-Type", _content_type(operation.service_model))]
        return WireResponse(200, headers, encode_json(document))

    def render_error(self, service: ServiceModel, error: ApiError, request_id: str) -> WireResponse:
        shape = error_shape(service, error.code)
        code = error.code if shape is None else shape.name
        status = error.status if error.status >= 500 else 400
        headers = [("Content-Type", _content_type(service))]
        headers += query_error_header(service, shape, error.code, status)
        body = {"__type": code, "message": error.message, **error.members}
        return WireResponse(status, headers, encode_json(body))


def _content_type(service: ServiceModel) -> str:
    return f"application/x-amz-json-{service.metadata.get('jsonVersion', '1.1')}"


AWS_JSON = AwsJson()
