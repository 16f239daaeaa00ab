"""Segments of stages whose tracing is active, one for each sampled request.

An upstream decision counts. Without one the first request of each second and 5 % of the others are
sampled. What the stage calls gets the segment as its parent.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-xray.html
"""

from lambent.model.traces import TraceContext, new_root, new_segment_id, read_header
from lambent.telemetry.traces.documents import Document
from lambent.telemetry.traces.received import OwnDocument
from lambent.telemetry.traces.store import TraceStore
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.request import ApiRequest

_TEXT_MAX = 1024


class StageTrace:
    """The trace of one sampled request."""

    __slots__ = ("_context", "_traces", "segment_id")

    def __init__(self, traces: TraceStore, context: TraceContext) -> None:
        self._traces = traces
        self._context = context
        self.segment_id = new_segment_id()

    def end(
        self, request: ApiRequest, resource_path: str, status: int, response_bytes: int
    ) -> None:
        """See `RequestTrace`."""
        document = _document(request, resource_path, status, response_bytes)
        document |= {
            "id": self.segment_id,
            "trace_id": self._context.root,
            "end_time": max(self._traces.now(), request.received),
        }
        if self._context.parent is not None:
            document["parent_id"] = self._context.parent
        self._traces.record(request.stage.root.scope, OwnDocument(document))


def traced(traces: TraceStore, request: ApiRequest) -> ApiRequest:
    """The request as it goes on, with its trace if it is sampled."""
    context = read_header(request.trace_id) or TraceContext(new_root(), None, None, "")
    is_sampled = context.is_sampled
    if is_sampled is None:
        is_sampled = traces.sampler.decide((request.stage.root, request.stage.name))
    if not is_sampled:
        parent = context.parent or new_segment_id()
        header = context._replace(parent=parent, is_sampled=False).header()
        return request._replace(trace_id=header)
    trace = StageTrace(traces, context)
    header = context._replace(parent=trace.segment_id, is_sampled=True).header()
    return request._replace(trace_id=header, trace=trace)


def is_traced(stage: Stage) -> bool:
    """Whether tracing is active."""
    return stage.body.get("tracingEnabled") is True


def _document(
    request: ApiRequest, resource_path: str, status: int, response_bytes: int
) -> Document:
    stage, exchange = request.stage, request.exchange
    root = stage.root
    sent: Document = {
        "method": exchange.method[:_TEXT_MAX],
        "url": f"https://{request.domain}/{stage.name}{request.path}"[:_TEXT_MAX],
        "client_ip": exchange.client_address,
    }
    if agent := exchange.headers.get("user-agent"):
        sent["user_agent"] = agent[:_TEXT_MAX]
    of_stage = f"/restapis/{root.id}/stages/{stage.name}"
    document: Document = {
        "name": f"{stage.api.get('name', root.id)}/{stage.name}"[:200],
        "start_time": request.received,
        "origin": "AWS::ApiGateway::Stage",
        "resource_arn": f"arn:aws:apigateway:{root.region}::{of_stage}",
        "http": {
            "request": sent,
            "response": {"status": status, "content_length": response_bytes},
        },
        "aws": {
            "account_id": root.account,
            "api_gateway": {
                "account_id": root.account,
                "request_id": request.request_id,
                "rest_api_id": root.id,
                "stage": stage.name,
                "resource_path": resource_path,
            },
        },
    }
    if status >= 500:
        document["fault"] = True
    elif status >= 400:
        document |= {"error": True, "throttle": status == 429}
    return document
