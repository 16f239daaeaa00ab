"""Traces of functions, as X-Ray shows them: who is sampled, which segments there are, and what a
search finds."""

import datetime
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from lambent.model.traces import read_header
from tests.platforms import ACCOUNT, Platform, deploy, invoke, log_lines, log_of, wait_for

ACTIVE = {"Mode": "Active"}
FUNCTION = """
import json, os, urllib.request
import boto3


def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    if event.get("exit"):
        os._exit(7)
    if target := event.get("call"):
        client = boto3.client("lambda")
        client.invoke(FunctionName=target, Payload=b"{}")
    return os.environ.get("_X_AMZN_TRACE_ID")
"""


@pytest.fixture(scope="module")
def xray(platform: Platform) -> Any:
    """A client of X-Ray."""
    return platform.client("xray")


@pytest.fixture(scope="module")
def traced(platform: Platform) -> str:
    """A function whose tracing is active."""
    deploy(platform.client("lambda"), "traced", {"app.py": FUNCTION}, TracingConfig=ACTIVE)
    return "traced"


def new_trace() -> str:
    digits = uuid.uuid4().hex
    return f"1-{int(datetime.datetime.now().timestamp()):08x}-{digits[:24]}"


def header_client(platform: Platform, header: str | None, service: str = "lambda") -> Any:
    """A client that sends a trace header, as instrumented clients do."""
    client = platform.client(service)

    def add(request: Any, **_: Any) -> None:
        if header is not None:
            request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register("before-send.lambda", add)
    return client


def segments_of(xray: Any, trace: str) -> list[dict[str, Any]]:
    """The documents of a trace's segments."""
    found = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    return [json.loads(each["Document"]) for trace_ in found for each in trace_["Segments"]]


def by_origin(segments: list[dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
    return {segment["origin"]: segment for segment in segments}


def summaries(xray: Any, expression: str = "") -> list[dict[str, Any]]:
    """The summaries of all recent traces that a filter accepts."""
    now = datetime.datetime.now(datetime.UTC)
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = xray.get_trace_summaries(
            StartTime=now - datetime.timedelta(hours=1),
            EndTime=now + datetime.timedelta(minutes=1),
            FilterExpression=expression,
            **token,
        )
        found += page["TraceSummaries"]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def test_a_sampled_call_has_its_segments(platform: Platform, xray: Any, traced: str) -> None:
    """The function's header names its own segment, whose parent is Lambda's, whose parent is the
    caller. The first call of an environment shows its initialization."""
    trace, caller = new_trace(), "53995c3f42cd8ad8"
    client = header_client(platform, f"Root={trace};Parent={caller};Sampled=1")
    seen, answer = invoke(client, traced, {}, LogType="Tail")
    context = read_header(seen)
    assert context is not None
    assert (context.root, context.is_sampled) == (trace, True)
    assert context.rest.startswith("Lineage=1:")
    found = by_origin(segments_of(xray, trace))
    service, function = found["AWS::Lambda"], found["AWS::Lambda::Function"]
    assert function["id"] == context.parent
    assert function["parent_id"] == service["id"]
    assert service["parent_id"] == caller
    assert service["name"] == function["name"] == traced
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{traced}"
    assert service["resource_arn"] == function["aws"]["function_arn"] == arn
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert service["aws"]["request_id"] == request_id
    assert service["http"] == {"response": {"status": 200}}
    names = [part["name"] for part in function["subsegments"]]
    assert names == ["Initialization", "Invocation", "Overhead"]
    assert service["start_time"] <= function["start_time"] <= function["end_time"]
    assert function["end_time"] <= service["end_time"]
    line = f"XRAY TraceId: {trace}\tSegmentId: {function['id']}\tSampled: true"
    assert line in log_of(answer)
    invoke(client, traced, {})
    warm = [each for each in segments_of(xray, trace) if each["origin"] == "AWS::Lambda::Function"]
    assert [part["name"] for part in warm[-1]["subsegments"]] == ["Invocation", "Overhead"]


def test_who_is_not_sampled(platform: Platform, xray: Any, traced: str) -> None:
    """A decision of the caller counts, and a function that passes through records nothing."""
    trace = new_trace()
    header = f"Root={trace};Parent=53995c3f42cd8ad8;Sampled=0"
    seen, answer = invoke(header_client(platform, header), traced, {}, LogType="Tail")
    assert seen.startswith(header)
    assert "XRAY" not in log_of(answer)
    through = "not-traced"
    deploy(platform.client("lambda"), through, {"app.py": FUNCTION})
    header = f"Root={trace};Parent=53995c3f42cd8ad8;Sampled=1"
    seen, answer = invoke(header_client(platform, header), through, {}, LogType="Tail")
    assert seen.startswith(header)
    assert "XRAY" not in log_of(answer)
    seen, _ = invoke(platform.client("lambda"), through, {})
    assert ";Sampled=0" in seen
    assert segments_of(xray, trace) == []


def test_the_first_call_of_a_second_is_sampled(platform: Platform, traced: str) -> None:
    """Without a decision. Of many calls at once few are: 5 %, and one a second."""
    client = platform.client("lambda")
    seen = [invoke(client, traced, {})[0] for _ in range(60)]
    sampled = [each for each in seen if ";Sampled=1" in each]
    assert 1 <= len(sampled) < 40
    assert all(re.match(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=", each) for each in seen)


def test_a_called_function_is_a_child_of_its_caller(
    platform: Platform, xray: Any, traced: str
) -> None:
    """The SDK in the caller sends its trace header, so the segments join; the graph shows it."""
    deploy(platform.client("lambda"), "called", {"app.py": FUNCTION}, TracingConfig=ACTIVE)
    trace = new_trace()
    client = header_client(platform, f"Root={trace};Sampled=1")
    _, answer = invoke(client, traced, {"call": "called"})
    assert "FunctionError" not in answer
    found = segments_of(xray, trace)
    caller = next(
        each
        for each in found
        if (each["name"], each["origin"]) == (traced, "AWS::Lambda::Function")
    )
    called = next(
        each for each in found if (each["name"], each["origin"]) == ("called", "AWS::Lambda")
    )
    assert called["parent_id"] == caller["id"]
    services = xray.get_trace_graph(TraceIds=[trace])["Services"]
    edges = {
        (each["Name"], each["Type"], edge["ReferenceId"])
        for each in services
        for edge in each["Edges"]
    }
    numbers = {(each["Name"], each["Type"]): each["ReferenceId"] for each in services}
    of_called = numbers["called", "AWS::Lambda"]
    assert (traced, "AWS::Lambda::Function", of_called) in edges
    assert (traced, "client", numbers[traced, "AWS::Lambda"]) in edges


def test_failures_have_a_cause(platform: Platform, xray: Any, traced: str) -> None:
    """An exception with its place, and a runtime that exits; searches find them."""
    failed, exited = new_trace(), new_trace()
    for trace, event in ((failed, {"fail": "no stock"}), (exited, {"exit": True})):
        invoke(header_client(platform, f"Root={trace};Sampled=1"), traced, event)
    function = by_origin(segments_of(xray, failed))["AWS::Lambda::Function"]
    assert function["fault"] is True
    (raised,) = function["cause"]["exceptions"]
    assert (raised["type"], raised["message"]) == ("ValueError", "no stock")
    assert raised["stack"][0]["label"] == "handler"
    function = by_origin(segments_of(xray, exited))["AWS::Lambda::Function"]
    assert function["cause"]["exceptions"][0]["type"] == "Runtime.ExitError"
    faults = {each["Id"]: each for each in summaries(xray, f'service("{traced}") {{ fault }}')}
    assert {failed, exited} <= faults.keys()
    assert faults[failed]["HasFault"] is True
    assert faults[failed]["EntryPoint"]["Type"] == "AWS::Lambda"
    assert {failed, exited}.isdisjoint(each["Id"] for each in summaries(xray, "ok"))


def test_a_throttled_call(platform: Platform, xray: Any) -> None:
    """Lambda's segment says so; the function has none."""
    client = platform.client("lambda")
    deploy(client, "closed", {"app.py": FUNCTION}, TracingConfig=ACTIVE)
    client.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
    trace = new_trace()
    with pytest.raises(ClientError):
        invoke(header_client(platform, f"Root={trace};Sampled=1"), "closed", {})
    (segment,) = segments_of(xray, trace)
    assert (segment["throttle"], segment["error"]) == (True, True)
    assert segment["http"]["response"]["status"] == 429
    assert [each["Id"] for each in summaries(xray, "throttle")] == [trace]


def test_an_event_shows_its_wait_and_its_attempts(platform: Platform, xray: Any) -> None:
    """Dwell time and attempts are parts of Lambda's segment; the function's is a child of its
    attempt."""
    deploy(platform.client("lambda"), "traced-later", {"app.py": FUNCTION}, TracingConfig=ACTIVE)
    trace = new_trace()
    client = header_client(platform, f"Root={trace};Sampled=1")
    client.invoke(FunctionName="traced-later", InvocationType="Event", Payload=b"{}")
    found = by_origin(
        wait_for(
            lambda: len(segments := segments_of(xray, trace)) == 2 and segments, "both segments"
        )
    )
    service = found["AWS::Lambda"]
    assert service["http"]["response"]["status"] == 202
    assert [part["name"] for part in service["subsegments"]] == ["Dwell Time", "Attempt #1"]
    assert found["AWS::Lambda::Function"]["parent_id"] == service["subsegments"][1]["id"]
    assert any(f"XRAY TraceId: {trace}" in line for line in log_lines(platform, "traced-later"))


def test_segments_of_other_programs(platform: Platform, xray: Any) -> None:
    """Programs outside send theirs; what is malformed is reported, and each account has its own."""
    trace, now = new_trace(), datetime.datetime.now().timestamp()
    document = {"id": "70de5b6f19ff9a0a", "name": "shop", "start_time": now, "end_time": now + 1}
    annotated = {**document, "trace_id": trace, "annotations": {"order": "o-17", "items": 3}}
    answer = xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(annotated), "{", "[]"])
    assert [each["ErrorCode"] for each in answer["UnprocessedTraceSegments"]] == ["ParseError"] * 2
    xray.put_telemetry_records(TelemetryRecords=[{"Timestamp": now}])
    (summary,) = summaries(xray, 'annotation.order = "o-17" AND annotation.items > 2')
    assert summary["Id"] == trace
    assert summary["Annotations"]["items"][0]["AnnotationValue"] == {"NumberValue": 3.0}
    other = platform.client("xray", aws_access_key_id="222222222222")
    assert segments_of(other, trace) == []
    assert segments_of(xray, trace) == [annotated]
    with pytest.raises(ClientError, match="Invalid FilterExpression"):
        summaries(xray, "nonsense = 1")


def test_the_service_graph(platform: Platform, xray: Any, traced: str) -> None:
    """Of all traces in a time range."""
    invoke(header_client(platform, f"Root={new_trace()};Sampled=1"), traced, {})
    now = datetime.datetime.now(datetime.UTC)
    graph = xray.get_service_graph(StartTime=now - datetime.timedelta(hours=1), EndTime=now)
    found = {(each["Name"], each["Type"]): each for each in graph["Services"]}
    statistics = found[traced, "AWS::Lambda::Function"]["SummaryStatistics"]
    assert statistics["TotalCount"] >= 1
    assert found[traced, "AWS::Lambda"]["Root"] is True


def test_sampling_rules(xray: Any) -> None:
    """SDKs find the default rule, the user's rules, and their quota."""
    rule = {
        "RuleName": "checkout", "ResourceARN": "*", "Priority": 10, "FixedRate": 0.5,
        "ReservoirSize": 3, "ServiceName": "*", "ServiceType": "*", "Host": "*",
        "HTTPMethod": "POST", "URLPath": "/checkout", "Version": 1,
    }  # fmt: skip
    xray.create_sampling_rule(SamplingRule=rule)
    try:
        xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "checkout", "FixedRate": 0.25})
        rules = [each["SamplingRule"] for each in xray.get_sampling_rules()["SamplingRuleRecords"]]
        assert [each["RuleName"] for each in rules] == ["checkout", "Default"]
        assert (rules[0]["FixedRate"], rules[1]["FixedRate"]) == (0.25, 0.05)
        reported = {"Timestamp": 1, "RequestCount": 1, "SampledCount": 1, "ClientID": "a" * 24}
        targets = xray.get_sampling_targets(
            SamplingStatisticsDocuments=[
                {"RuleName": name, **reported} for name in ("checkout", "unknown")
            ]
        )
        (target,) = targets["SamplingTargetDocuments"]
        assert (target["ReservoirQuota"], target["FixedRate"]) == (3, 0.25)
        assert targets["UnprocessedStatistics"][0]["RuleName"] == "unknown"
        with pytest.raises(ClientError, match="exists already"):
            xray.create_sampling_rule(SamplingRule=rule)
    finally:
        xray.delete_sampling_rule(RuleName="checkout")
    with pytest.raises(ClientError, match="cannot be deleted"):
        xray.delete_sampling_rule(RuleName="Default")


def traced_api(platform: Platform, function: str) -> tuple[Any, str]:
    """A REST API whose stage is traced, with the function below `/orders`; its client and ID."""
    apis = platform.client("apigateway")
    api = apis.create_rest_api(name="orders")["id"]
    (root,) = apis.get_resources(restApiId=api)["items"]
    resource = apis.create_resource(restApiId=api, parentId=root["id"], pathPart="orders")["id"]
    at = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    apis.put_method(**at, authorizationType="NONE")
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}"
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    apis.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    apis.create_deployment(restApiId=api, stageName="dev", tracingEnabled=True)
    return apis, api


SHOW = """
import json, os

def handler(event, context):
    headers = {name.lower(): value for name, value in event["headers"].items()}
    names = ("x-amzn-trace-id", "traceparent")
    seen = {name: headers.get(name) for name in names} | {"own": os.environ["_X_AMZN_TRACE_ID"]}
    status = int(headers.get("x-status", "200"))
    return {"statusCode": status, "body": json.dumps(seen)}
"""


def test_a_stage_of_a_rest_api(platform: Platform, xray: Any) -> None:
    """Its segment is the parent of what it calls; a W3C `traceparent` of the client is followed.
    Tracing can be turned off again."""
    deploy(platform.client("lambda"), "shown", {"app.py": SHOW}, TracingConfig=ACTIVE)
    apis, api = traced_api(platform, "shown")
    url = f"{platform.endpoint}/_lambent/api/{api}/dev/orders"
    trace, parent = new_trace(), "53995c3f42cd8ad8"
    w3c = f"00-{trace[2:].replace('-', '')}-{parent}-01"
    answer = requests.get(url, headers={"traceparent": w3c, "x-status": "503"}, timeout=30)
    assert answer.status_code == 503
    seen = answer.json()
    found = by_origin(segments_of(xray, trace))
    stage = found["AWS::ApiGateway::Stage"]
    assert (stage["name"], stage["parent_id"], stage["fault"]) == ("orders/dev", parent, True)
    assert stage["http"]["request"]["method"] == "GET"
    assert stage["aws"]["api_gateway"]["resource_path"] == "/orders"
    assert seen["x-amzn-trace-id"] == f"Root={trace};Parent={stage['id']};Sampled=1"
    assert seen["traceparent"] == w3c.replace(parent, stage["id"])
    assert found["AWS::Lambda"]["parent_id"] == stage["id"]
    assert trace in [each["Id"] for each in summaries(xray, "http.status = 503 AND fault")]
    operations = [{"op": "replace", "path": "/tracingEnabled", "value": "false"}]
    apis.update_stage(restApiId=api, stageName="dev", patchOperations=operations)
    trace = new_trace()
    requests.get(url, headers={"X-Amzn-Trace-Id": f"Root={trace};Sampled=1"}, timeout=30)
    assert by_origin(segments_of(xray, trace)).keys() == {"AWS::Lambda", "AWS::Lambda::Function"}


def test_a_function_url_follows_traceparent(platform: Platform, xray: Any) -> None:
    """The client's span is the parent of the function's segments."""
    client = platform.client("lambda")
    deploy(client, "by-url", {"app.py": SHOW}, TracingConfig=ACTIVE)
    client.create_function_url_config(FunctionName="by-url", AuthType="NONE")
    client.add_permission(
        FunctionName="by-url", StatementId="url", Principal="*",
        Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE",
    )  # fmt: skip
    url = client.get_function_url_config(FunctionName="by-url")["FunctionUrl"]
    host = url.split("/")[2]
    trace, parent = new_trace(), "53995c3f42cd8ad8"
    headers = {"traceparent": f"00-{trace[2:].replace('-', '')}-{parent}-01", "Host": host}
    answer = requests.get(platform.endpoint, headers=headers, timeout=30)
    assert answer.json()["x-amzn-trace-id"] == f"Root={trace};Parent={parent};Sampled=1"
    found = by_origin(segments_of(xray, trace))
    assert found["AWS::Lambda"]["parent_id"] == parent


RELAYED = """
def handler(event, context):
    return {"ok": True}
"""


def test_destinations_belong_to_the_trace(platform: Platform, xray: Any) -> None:
    """Without a decision of the caller the first event of a second is sampled. A destination's
    call is a child of the function that has succeeded."""
    client = platform.client("lambda")
    target = deploy(client, "told", {"app.py": RELAYED}, TracingConfig=ACTIVE)["FunctionArn"]
    deploy(client, "tells", {"app.py": RELAYED}, TracingConfig=ACTIVE)
    client.put_function_event_invoke_config(
        FunctionName="tells", DestinationConfig={"OnSuccess": {"Destination": target}}
    )
    client.invoke(FunctionName="tells", InvocationType="Event", Payload=b"{}")
    (summary,) = wait_for(
        lambda: summaries(xray, 'edge(id(name: "tells"), id(name: "told"))'), "the trace has both"
    )
    found = {(each["name"], each["origin"]): each for each in segments_of(xray, summary["Id"])}
    caller = found["tells", "AWS::Lambda::Function"]
    assert found["told", "AWS::Lambda"]["parent_id"] == caller["id"]
    assert caller["parent_id"] == found["tells", "AWS::Lambda"]["subsegments"][1]["id"]
