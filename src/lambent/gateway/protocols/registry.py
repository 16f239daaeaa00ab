"""The protocols that are spoken."""

from collections.abc import Sequence

from lambent.gateway.models import ServiceModel
from lambent.gateway.protocols.aws_json import AWS_JSON
from lambent.gateway.protocols.cbor import SMITHY_CBOR
from lambent.gateway.protocols.protocol import WireProtocol
from lambent.gateway.protocols.query import QUERY
from lambent.gateway.protocols.rest_json import REST_JSON
from lambent.gateway.protocols.rest_xml import REST_XML

PROTOCOLS: Sequence[WireProtocol] = (SMITHY_CBOR, AWS_JSON, QUERY, REST_JSON, REST_XML)
"""Those whose requests have a form of their own come first."""


def protocols_of(service: ServiceModel) -> Sequence[WireProtocol]:
    """The protocols of a service, as its model lists them: newer clients take the first."""
    names = service.metadata.get("protocols") or [service.metadata["protocol"]]
    spoken = {protocol.name: protocol for protocol in PROTOCOLS}
    return tuple(spoken[name] for name in names if name in spoken)
