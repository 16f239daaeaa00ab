"""What several nodes keep each for itself is seen as one through any of them."""

import datetime
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, NamedTuple

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests import forking
from tests.databases import PostgreSql
from tests.platforms import Platform, deploy, invoke, log_lines, wait_for

from .test_nodes import nodes_of, wait_states
from .test_websocket_apis import address, make_api

pytestmark = pytest.mark.timeout(300)


class Nodes(NamedTuple):
    """Two of them."""

    one: Platform
    two: Platform


@pytest.fixture(scope="module")
def start_node(
    postgresql: PostgreSql, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Platform]]:
    """Starts platforms on one database, for all tests here."""
    root = tmp_path_factory.mktemp("views")
    environment = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(root / "packages"),
        "LAMBENT_TELEMETRY__ALARMS_EVERY_S": "1",
    }
    with ExitStack() as stack:

        def start(name: str) -> Platform:
            running = Platform(root / name, environment=environment)
            stack.callback(running.stop)
            return running

        yield start


@pytest.fixture(scope="module")
def nodes(start_node: Callable[[str], Platform]) -> Nodes:
    """Two nodes that serve."""
    found = Nodes(start_node("one"), start_node("two"))
    for node in found:
        wait_states(node, "live", "live")
    deploy(found.one.client("lambda"), "posts", {"app.py": POSTS})
    return found


FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:posts"
POSTS = """
import datetime
import json
import boto3

def handler(event, context):
    if "requestContext" in event:
        return {"statusCode": 200, "body": json.dumps(event["requestContext"])}
    client = boto3.client("apigatewaymanagementapi", endpoint_url=event["url"])
    client.post_to_connection(ConnectionId=event["connection"], Data=b"from a function")
"""


def is_gone(call: Callable[..., Any], id: str) -> bool:
    """Whether a connection is gone, as an operation says."""
    try:
        call(ConnectionId=id)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "GoneException")
    return False


def test_connections_are_managed_through_any_node(nodes: Nodes) -> None:
    """A message, a question and the end reach a client through the node that it is not connected
    to, also from a function that runs there. A connection that has ended is gone on both."""
    api_id = make_api(nodes.one, FUNCTION)
    for here, there in (nodes, nodes[::-1]):
        ways = [address(node, api_id).replace("ws", "http", 1) for node in (here, there)]
        near, far = [
            node.client("apigatewaymanagementapi", endpoint_url=way)
            for node, way in zip((here, there), ways, strict=True)
        ]
        with connect(address(here, api_id), compression=None) as client:
            client.send("who am I?")
            request = json.loads(client.recv(timeout=60))
            id = request["connectionId"]
            far.post_to_connection(ConnectionId=id, Data=b"hello")
            assert client.recv(timeout=60) == "hello"
            event = {
                "connection": id,
                "url": f"https://{request['domainName']}/{request['stage']}",
            }
            assert invoke(there.client("lambda"), "posts", event)[0] is None
            assert client.recv(timeout=60) == "from a function"
            status = far.get_connection(ConnectionId=id)
            assert status["Identity"]["SourceIp"] == "127.0.0.1"
            assert status["ConnectedAt"] == near.get_connection(ConnectionId=id)["ConnectedAt"]
            far.delete_connection(ConnectionId=id)
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=60)
        for manage in (near, far):
            wait_for(partial(is_gone, manage.get_connection, id), "the connection is gone")


def messages(page: Any, word: str = "line ") -> list[str]:
    """The messages of a page that begin with a word."""
    found = [event["message"].strip() for event in page["events"]]
    return [message for message in found if message.startswith(word)]


def test_logs_are_those_of_all_nodes(nodes: Nodes) -> None:
    """Through either node: groups, streams, all events on pages of any size, each once."""
    group = "merged"
    nodes.one.client("logs").create_log_group(logGroupName=group)
    for at, node in enumerate(nodes * 3):
        logs = node.client("logs")
        about = {"logGroupName": group, "logStreamName": f"of-{node.process.pid}"}
        if at < 2:
            logs.create_log_stream(**about)
        now = int(time.time() * 1000)
        lines = [f"line {number}" for number in range(10 * at, 10 * at + 10)]
        logs.put_log_events(
            **about, logEvents=[{"timestamp": now, "message": line} for line in lines]
        )
    expected = {f"line {number}" for number in range(60)}
    for node in nodes:
        logs = node.client("logs")
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        assert len(streams) == 2
        (shown,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        assert shown["storedBytes"] == sum(stream["storedBytes"] for stream in streams)
        for limit in (7, 1000):
            found: list[str] = []
            times: list[int] = []
            more: dict[str, Any] = {}
            while True:
                page = logs.filter_log_events(
                    logGroupName=group, filterPattern="line", limit=limit, **more
                )
                assert len(page["events"]) <= limit
                found += messages(page)
                times += [event["timestamp"] for event in page["events"]]
                if "nextToken" not in page:
                    break
                more = {"nextToken": page["nextToken"]}
            assert len(found) == 60
            assert set(found) == expected
            assert times == sorted(times)
        of_streams: list[str] = []
        for stream in streams:
            about = {"logGroupName": group, "logStreamName": stream["logStreamName"], "limit": 9}
            page = logs.get_log_events(**about, startFromHead=True)
            while page["events"]:
                of_streams += messages(page)
                page = logs.get_log_events(**about, nextToken=page["nextForwardToken"])
            again = logs.get_log_events(**about, nextToken=page["nextForwardToken"])
            assert again["nextForwardToken"] == page["nextForwardToken"]
        assert len(of_streams) == 60
        assert set(of_streams) == expected


def test_a_stream_that_several_nodes_write(nodes: Nodes) -> None:
    """A caller writes to a stream through any node, and reads it through any, in both directions;
    what is deleted through one is deleted on all."""
    one, two = [node.client("logs") for node in nodes]
    group = {"logGroupName": "callers"}
    stream = {**group, "logStreamName": "s"}
    one.create_log_group(**group)
    two.create_log_stream(**stream)
    for logs in (one, two):
        with pytest.raises(ClientError, match="AlreadyExists"):
            logs.create_log_group(**group)
        with pytest.raises(ClientError, match="AlreadyExists"):
            logs.create_log_stream(**stream)
    now = int(time.time() * 1000)
    for number in range(40):
        event = {"timestamp": now + number, "message": f"line {number:02}"}
        (one, two)[number % 3 == 0].put_log_events(**stream, logEvents=[event])
    expected = [f"line {number:02}" for number in range(40)]
    for logs in (one, two):
        forward: list[str] = []
        page = logs.get_log_events(**stream, limit=7, startFromHead=True)
        while page["events"]:
            forward += messages(page)
            page = logs.get_log_events(**stream, limit=7, nextToken=page["nextForwardToken"])
        assert forward == expected
        backward: list[str] = []
        page = logs.get_log_events(**stream, limit=7)
        first = page
        while page["events"]:
            backward = [*messages(page), *backward]
            page = logs.get_log_events(**stream, limit=7, nextToken=page["nextBackwardToken"])
        assert backward == expected
        after = logs.get_log_events(**stream, nextToken=first["nextForwardToken"])
        assert not after["events"]
    late = {"timestamp": now + 100, "message": "line late"}
    one.put_log_events(**stream, logEvents=[late])
    assert messages(two.get_log_events(**stream, nextToken=after["nextForwardToken"])) == [
        "line late"
    ]
    two.delete_log_stream(**stream)
    for logs in (one, two):
        assert not logs.describe_log_streams(**group)["logStreams"]
    two.delete_log_group(**group)
    for logs in (one, two):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            logs.describe_log_streams(**group)


def test_queries_see_all_nodes(nodes: Nodes) -> None:
    """A query adds up what all nodes have logged. Its results, also single events, are there
    through any node."""
    one, two = [node.client("logs") for node in nodes]
    group = {"logGroupName": "queried"}
    one.create_log_group(**group)
    now = int(time.time() * 1000)
    for name, logs in (("a", one), ("b", two)):
        logs.create_log_stream(**group, logStreamName=name)
        events = [
            {"timestamp": now + n, "message": json.dumps({"n": n, "who": name})} for n in range(20)
        ]
        logs.put_log_events(**group, logStreamName=name, logEvents=events)
    text = "stats count(*) as count, sum(n) as sum by who | sort who"
    for here, there in ((one, two), (two, one)):
        query = {"startTime": now // 1000 - 60, "endTime": now // 1000 + 60}
        id = here.start_query(**group, **query, queryString=text)["queryId"]
        wait_for(
            lambda: there.get_query_results(queryId=id)["status"] == "Complete",  # noqa: B023
            "the query ends",
        )
        found = there.get_query_results(queryId=id)
        rows = [[each["value"] for each in row] for row in found["results"]]
        assert rows == [["a", "20", "190"], ["b", "20", "190"]]
        assert found["statistics"]["recordsScanned"] == 40
        listed = there.describe_queries(**group)["queries"]
        assert id in [each["queryId"] for each in listed]
        with pytest.raises(ClientError, match="ended already"):
            there.stop_query(queryId=id)
    id = one.start_query(**group, **query, queryString="filter who = 'b' | limit 1")["queryId"]
    wait_for(lambda: two.get_query_results(queryId=id)["status"] == "Complete", "it ends")
    (row,) = two.get_query_results(queryId=id)["results"]
    pointer = {each["field"]: each["value"] for each in row}["@ptr"]
    for logs in (one, two):
        assert logs.get_log_record(logRecordPointer=pointer)["logRecord"]["who"] == "b"


def test_live_tail_follows_all_nodes(nodes: Nodes) -> None:
    """A session through one node shows what is logged on the other, as its pattern says."""
    one, two = [node.client("logs") for node in nodes]
    group = {"logGroupName": "tailed"}
    two.create_log_group(**group)
    stream = {**group, "logStreamName": "s"}
    two.create_log_stream(**stream)
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:tailed"
    tailing = nodes.one.client("logs", config=Config(inject_host_prefix=False))
    with closing(
        tailing.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="seen")[
            "responseStream"
        ]
    ) as events:
        found: list[str] = []
        for number, update in enumerate(events):
            if "sessionStart" in update:
                for logs, name in ((one, "one"), (two, "two")):
                    at = int(time.time() * 1000)
                    lines = [f"seen on {name}", f"hidden on {name}"]
                    batch = [{"timestamp": at, "message": line} for line in lines]
                    logs.put_log_events(**stream, logEvents=batch)
                continue
            found += [event["message"] for event in update["sessionUpdate"]["sessionResults"]]
            if len(found) >= 2 or number > 30:
                break
    assert sorted(found) == ["seen on one", "seen on two"]


def test_metrics_add_up_over_nodes(nodes: Nodes) -> None:
    """Counts, sums, extremes and percentiles are those of all nodes; a list has each metric once,
    on pages."""
    one, two = [node.client("cloudwatch") for node in nodes]
    now = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0)
    for client, values in ((one, range(1, 51)), (two, range(51, 101))):
        for name in ("m", *(f"n{number}" for number in range(3))):
            data = {"MetricName": name, "Values": [float(n) for n in values], "Timestamp": now}
            client.put_metric_data(Namespace="Views", MetricData=[data])
    two.put_metric_data(Namespace="Views", MetricData=[{"MetricName": "of-two", "Value": 1}])
    span = {"StartTime": now, "EndTime": now + datetime.timedelta(minutes=1), "Period": 60}
    plain = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"]
    for client in (one, two):
        (point,) = client.get_metric_statistics(
            **span, Namespace="Views", MetricName="m", Statistics=plain, ExtendedStatistics=["p90"]
        )["Datapoints"]
        assert [point[name] for name in plain] == [100, 5050, 1, 100, 50.5]
        assert point["ExtendedStatistics"]["p90"] == pytest.approx(90, rel=0.02)
        queries = [{"Id": "s", "Expression": "SUM(SEARCH('Namespace=\"Views\"', 'Sum', 60))"}]
        found = client.get_metric_data(
            MetricDataQueries=queries, StartTime=span["StartTime"], EndTime=span["EndTime"]
        )["MetricDataResults"]
        assert found[0]["Values"][0] >= 4 * 5050
        pages = client.get_paginator("list_metrics").paginate(Namespace="Views")
        names = [each["MetricName"] for page in pages for each in page["Metrics"]]
        assert names == ["m", "n0", "n1", "n2", "of-two"]


def test_an_alarm_is_evaluated_once_and_survives_its_node(
    nodes: Nodes, start_node: Callable[[str], Platform]
) -> None:
    """Over the metrics of all nodes: none of them has enough alone. Its action happens once. When
    a node is lost, others evaluate its alarms; composite alarms follow."""
    four = start_node("four")
    wait_states(nodes.one, "live", "live", "live")
    deploy(nodes.one.client("lambda"), "alarmed", {"app.py": ALARMED})
    one = nodes.one.client("cloudwatch")
    action = nodes.one.client("lambda").get_function(FunctionName="alarmed")["Configuration"]
    nodes.one.client("lambda").add_permission(
        FunctionName="alarmed",
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
    )
    names = [f"alarm-{number}" for number in range(8)]
    for name in names:
        one.put_metric_alarm(
            AlarmName=name,
            Namespace="Alarmed",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=9,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[action["FunctionArn"]],
        )
    rule = " AND ".join(f"ALARM({name})" for name in names)
    one.put_composite_alarm(AlarmName="all-alarms", AlarmRule=rule)

    def states() -> dict[str, str]:
        found = nodes.two.client("cloudwatch").describe_alarms(
            AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        both = [*found["MetricAlarms"], *found["CompositeAlarms"]]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in both}

    wait_for(lambda: set(states().values()) == {"OK"}, "all alarms are evaluated")
    put_everywhere([*nodes, four])
    four.kill()
    wait_for(lambda: set(states().values()) == {"ALARM"}, "all alarms are raised", 150)

    def called() -> list[str]:
        return [line.split()[1] for line in log_lines(nodes.one, "alarmed") if "raised" in line]

    wait_for(lambda: len(called()) >= len(names), "all actions happen")
    assert sorted(called()) == names


def test_traces_and_environments_of_all_nodes(nodes: Nodes) -> None:
    """Through either node: a trace whose segments were sent to both, an environment that is on
    one of them, and the hosts of both."""
    now = time.time()
    trace_id = f"1-{int(now):08x}-{'a' * 24}"
    for number, node in enumerate(nodes):
        segment = {
            "trace_id": trace_id,
            "id": f"{number:016x}",
            "name": f"part-{number}",
            "start_time": now + number,
            "end_time": now + number + 1,
        }
        sent = node.client("xray").put_trace_segments(TraceSegmentDocuments=[json.dumps(segment)])
        assert not sent["UnprocessedTraceSegments"]
    deploy(nodes.one.client("lambda"), "seen-everywhere", {"app.py": "def handler(*_): return 1"})
    invoke(nodes.one.client("lambda"), "seen-everywhere")
    shown: set[str] = set()
    span = {"StartTime": now - 60, "EndTime": now + 60}
    for node in nodes:
        xray = node.client("xray")
        (trace,) = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
        assert len(trace["Segments"]) == 2
        summaries = xray.get_trace_summaries(**span)["TraceSummaries"]
        assert [each["Id"] for each in summaries].count(trace_id) == 1
        names = {each["Name"] for each in xray.get_service_graph(**span)["Services"]}
        assert {"part-0", "part-1"} <= names
        page = requests.get(f"{node.endpoint}/_lambent/environments", timeout=20).json()
        (found,) = [e for e in page["environments"] if e["function"] == "seen-everywhere"]
        shown.add(f"{found['node']} {found['id']}")
        status = requests.get(f"{node.endpoint}/_lambent/status", timeout=20).json()
        assert len({each["node"] for each in (status, *status["other_nodes"])}) == 2
    assert len(shown) == 1


def test_a_quota_is_shared(nodes: Nodes) -> None:
    """What a key has used at one node is used at the other, a moment later."""
    gateway = nodes.one.client("apigateway")
    api_id = gateway.create_rest_api(name="quota")["id"]
    (root,) = gateway.get_resources(restApiId=api_id)["items"]
    about = {"restApiId": api_id, "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**about, authorizationType="NONE", apiKeyRequired=True)
    template = {"application/json": '{"statusCode": 200}'}
    gateway.put_integration(**about, type="MOCK", requestTemplates=template)
    gateway.put_method_response(**about, statusCode="200")
    gateway.put_integration_response(**about, statusCode="200")
    gateway.create_deployment(restApiId=api_id, stageName="s")
    plan = gateway.create_usage_plan(
        name="quota",
        apiStages=[{"apiId": api_id, "stage": "s"}],
        quota={"limit": 10, "period": "MONTH"},
    )["id"]
    key = gateway.create_api_key(name="quota", enabled=True, value="k" * 30)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")

    def call(node: Platform) -> int:
        url = f"{node.endpoint}/_lambent/api/{api_id}/s/"
        return requests.get(url, headers={"x-api-key": "k" * 30}, timeout=60).status_code

    assert [call(nodes.two) for _ in range(3)] == [200] * 3
    assert [call(nodes.one) for _ in range(7)] == [200] * 7
    for node in nodes:
        wait_for(lambda: call(node) == 429, "the quota is used")  # noqa: B023


def test_a_node_that_hangs_is_named(nodes: Nodes, start_node: Callable[[str], Platform]) -> None:
    """What the others have is shown, and the response and the commands say who is missing. While it
    hangs, requests for its connections are to be repeated; when it is lost, they are gone."""
    five = start_node("five")
    wait_states(nodes.one, "live", "live", "live")
    group = {"logGroupName": "hangs"}
    nodes.one.client("logs").create_log_group(**group)
    for node, name in ((nodes.one, "a"), (five, "b")):
        logs = node.client("logs")
        logs.create_log_stream(**group, logStreamName=name)
        event = {"timestamp": int(time.time() * 1000), "message": f"line {name}"}
        logs.put_log_events(**group, logStreamName=name, logEvents=[event])
    found = nodes.two.client("logs").filter_log_events(**group)
    assert messages(found) == ["line a", "line b"]
    number = max(each["node"] for each in nodes_of(nodes.two))
    headers = found["ResponseMetadata"]["HTTPHeaders"]
    assert str(number) not in headers.get(MISSING, "").split(", ")
    api_id = make_api(five, FUNCTION)
    way = address(nodes.one, api_id).replace("ws", "http", 1)
    manage = nodes.one.client("apigatewaymanagementapi", endpoint_url=way)
    with connect(address(five, api_id), compression=None) as client:
        client.send("who am I?")
        id = json.loads(client.recv(timeout=60))["connectionId"]
        manage.get_connection(ConnectionId=id)
        five.process.send_signal(signal.SIGSTOP)
        try:
            found = nodes.two.client("logs").filter_log_events(**group)
            with pytest.raises(ClientError) as error:
                manage.get_connection(ConnectionId=id)
        finally:
            five.kill()
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (503, 410)
    wait_for(partial(is_gone, manage.get_connection, id), "the connections are gone")
    assert messages(found) == ["line a"]
    missing = found["ResponseMetadata"]["HTTPHeaders"][MISSING]
    assert str(number) in missing.split(", ")
    wait_states(nodes.one, "live", "live")
    found = nodes.two.client("logs").filter_log_events(**group)
    assert messages(found) == ["line a"]
    assert str(number) in found["ResponseMetadata"]["HTTPHeaders"][MISSING].split(", ")
    for command in (("logs", "--all"), ("metrics", "seen-everywhere")):
        arguments = [sys.executable, "-m", "lambent", *command]
        done = forking.run([*arguments, "--endpoint-url", nodes.two.endpoint], timeout=120)
        assert done.returncode == 0, done.stderr
        assert "which do not answer" in done.stderr
        assert str(number) in done.stderr
    again = start_node("five")
    for node in nodes:
        wait_states(node, "live", "live", "live")
    found = nodes.one.client("logs").filter_log_events(**group)
    assert messages(found) == ["line a", "line b"]
    assert again.stop() == 0


MISSING = "x-lambent-missing-nodes"
ALARMED = """
def handler(event, context):
    print("raised", event["alarmData"]["alarmName"])
"""


def put_everywhere(platforms: Sequence[Platform]) -> None:
    """Put 5 for this minute and the next ones on each node."""
    now = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0)
    for platform in platforms:
        data = [
            {"MetricName": "m", "Value": 5, "Timestamp": now + datetime.timedelta(minutes=minute)}
            for minute in range(-1, 4)
        ]
        platform.client("cloudwatch").put_metric_data(Namespace="Alarmed", MetricData=data)
