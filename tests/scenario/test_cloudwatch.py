"""CloudWatch as boto3 and the AWS CLI see it: metrics of functions, and custom metrics."""

import datetime
import json
import math
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, Platform, deploy, wait_for

FUNCTION = """
def handler(event, context):
    if event == "fail":
        raise ValueError(event)
    return event
"""
NAMESPACE = "Warehouse"
AWS = f"{os.path.dirname(sys.executable)}/aws"


@pytest.fixture(scope="module")
def cloudwatch(platform: Platform) -> Any:
    """A client; boto3 speaks CBOR."""
    return platform.client("cloudwatch")


@pytest.fixture(scope="module")
def called(platform: Platform) -> Iterator[str]:
    """A function that was called five times, of which two failed, and through an alias once."""
    client = platform.client("lambda")
    name = "measured"
    deploy(client, name, {"app.py": FUNCTION}, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for event in ("ok", "ok", "fail", "ok", "fail"):
        client.invoke(FunctionName=name, Payload=json.dumps(event))
    client.invoke(FunctionName=name, Qualifier="live", Payload='"ok"')
    yield name
    client.delete_function(FunctionName=name)


def hour() -> dict[str, datetime.datetime]:
    now = datetime.datetime.now(datetime.UTC)
    return {
        "StartTime": now - datetime.timedelta(minutes=59),
        "EndTime": now + datetime.timedelta(minutes=1),
    }


def statistics(client: Any, metric: str, *names: str, **dimensions: str) -> dict[str, Any]:
    """Statistics of the last hour, as one period."""
    found = client.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        Period=7200,
        Statistics=list(names),
        **hour(),
    )["Datapoints"]
    # Two periods, if one began in this hour.
    return {name: sum(point[name] for point in found) for name in names}


def put(client: Any, **datum: Any) -> None:
    client.put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Orders", **datum}])


def code_of(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    code: str = refused.value.response["Error"]["Code"]
    return code


def test_the_metrics_that_everybody_asks_for(cloudwatch: Any, called: str) -> None:
    """Invocations, Errors, Throttles, Duration and concurrency, by function and alias."""
    of_function = {"FunctionName": called}
    assert statistics(cloudwatch, "Invocations", "Sum", **of_function) == {"Sum": 6}
    errors = statistics(cloudwatch, "Errors", "Sum", "SampleCount", **of_function)
    assert errors == {"Sum": 2, "SampleCount": 6}
    assert statistics(cloudwatch, "Throttles", "Sum", **of_function) == {"Sum": 0}
    duration = statistics(cloudwatch, "Duration", "Minimum", "Maximum", **of_function)
    assert 0 < duration["Minimum"] <= duration["Maximum"] < 10_000
    assert statistics(cloudwatch, "ConcurrentExecutions", "Maximum", **of_function)["Maximum"] >= 1
    by_alias = {"FunctionName": called, "Resource": f"{called}:live"}
    assert statistics(cloudwatch, "Invocations", "Sum", **by_alias) == {"Sum": 1}
    of_version = {**by_alias, "ExecutedVersion": "1"}
    assert statistics(cloudwatch, "Invocations", "Sum", **of_version) == {"Sum": 1}


def test_throttles_are_counted(platform: Platform, cloudwatch: Any) -> None:
    """Calls that were refused with 429 are no invocations."""
    client = platform.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    deploy(client, "throttled", {"app.py": FUNCTION})
    client.put_function_concurrency(FunctionName="throttled", ReservedConcurrentExecutions=0)
    for _ in range(3):
        assert code_of(client.invoke, FunctionName="throttled") == "TooManyRequestsException"
    of_function = {"FunctionName": "throttled"}
    assert statistics(cloudwatch, "Throttles", "Sum", **of_function) == {"Sum": 3}
    assert statistics(cloudwatch, "Invocations", "Sum", **of_function) == {"Sum": 0}
    client.delete_function(FunctionName="throttled")


def test_events_are_metrics_too(platform: Platform, cloudwatch: Any) -> None:
    """The counters of the asynchronous queue are there as well."""
    client = platform.client("lambda")
    deploy(client, "queued", {"app.py": FUNCTION})
    client.invoke(FunctionName="queued", InvocationType="Event", Payload='"ok"')
    of_function = {"FunctionName": "queued"}
    received = {"Sum": 1}
    wait_for(
        lambda: statistics(cloudwatch, "AsyncEventsReceived", "Sum", **of_function) == received,
        "the metric of the event",
    )


def test_data_by_query(cloudwatch: Any, called: str) -> None:
    """Several metrics at once, in pages, latest first."""
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Duration",
        "Dimensions": [{"Name": "FunctionName", "Value": called}],
    }
    queries = [
        {"Id": "p", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p99"}, "Label": "slow"},
        {"Id": "n", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "SampleCount"}},
        {
            "Id": "none",
            "MetricStat": {"Metric": {**metric, "Dimensions": []}, "Period": 60, "Stat": "Sum"},
            "ReturnData": False,
        },
    ]
    found = cloudwatch.get_metric_data(MetricDataQueries=queries, **hour())["MetricDataResults"]
    assert [(result["Id"], result["Label"], result["StatusCode"]) for result in found] == [
        ("p", "slow", "Complete"),
        ("n", "Duration", "Complete"),
    ]
    assert all(0 < value < 10_000 for value in found[0]["Values"])
    assert sum(found[1]["Values"]) >= 6
    assert found[1]["Timestamps"] == sorted(found[1]["Timestamps"], reverse=True)
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, MaxDatapoints=1, **hour()
    )
    values: dict[str, list[float]] = {"p": [], "n": []}
    for page in pages:
        for result in page["MetricDataResults"]:
            values[result["Id"]] += result["Values"]
    assert values == {result["Id"]: result["Values"] for result in found}


def test_metric_math(cloudwatch: Any, called: str) -> None:
    """The error rate of a function, and a search over all functions, labeled."""

    def metric(name: str) -> dict[str, Any]:
        dimensions = [{"Name": "FunctionName", "Value": called}]
        of_function = {"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions}
        return {"Metric": of_function, "Period": 7200, "Stat": "Sum"}

    search = f'{{AWS/Lambda,FunctionName}} MetricName="Invocations" FunctionName="{called}"'
    queries = [
        {"Id": "errors", "MetricStat": metric("Errors"), "ReturnData": False},
        {"Id": "calls", "MetricStat": metric("Invocations"), "ReturnData": False},
        {"Id": "rate", "Expression": "100 * SUM(errors) / SUM(calls) + TIME_SERIES(0)"},
        {
            "Id": "found",
            "Expression": f"SEARCH('{search}', 'Sum', 7200)",
            "Label": "${PROP('Dim.FunctionName')}: ${SUM}",
        },
    ]
    found = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        ScanBy="TimestampAscending",
        LabelOptions={"Timezone": "+0200"},
        **hour(),
    )["MetricDataResults"]
    rate, of_search = found
    assert rate["Values"][0] == pytest.approx(100 * 2 / 6)
    assert rate["Timestamps"] == sorted(rate["Timestamps"])
    assert of_search["Label"] == f"{called}: 6"
    assert sum(of_search["Values"]) == 6


def test_custom_metrics(cloudwatch: Any) -> None:
    """Values, sets of values and statistics, by dimensions and unit."""
    shop = [{"Name": "Shop", "Value": "north"}]
    put(cloudwatch, Value=3.0, Unit="Count", Dimensions=shop)
    put(cloudwatch, Values=[1.0, 2.0], Counts=[2.0, 1.0], Unit="Count", Dimensions=shop)
    known = {"SampleCount": 2.0, "Sum": 20.0, "Minimum": 8.0, "Maximum": 12.0}
    put(cloudwatch, StatisticValues=known, Unit="Count", Dimensions=shop)
    put(cloudwatch, Value=100.0, Unit="Percent", Dimensions=shop)
    query = {
        "Namespace": NAMESPACE,
        "MetricName": "Orders",
        "Dimensions": shop,
        "Period": 86400,
        "Statistics": ["Sum", "SampleCount", "Minimum", "Maximum", "Average"],
    }
    points = cloudwatch.get_metric_statistics(**query, **hour())["Datapoints"]
    by_unit = {point["Unit"]: point for point in points}
    counted = by_unit["Count"]
    assert [counted[name] for name in query["Statistics"]] == [27.0, 6.0, 1.0, 12.0, 4.5]
    assert by_unit["Percent"]["Sum"] == 100.0
    only = cloudwatch.get_metric_statistics(**query, Unit="Percent", **hour())["Datapoints"]
    assert [point["Unit"] for point in only] == ["Percent"]


def test_percentiles(cloudwatch: Any) -> None:
    """Of 1,000 values, within 1 %."""
    for start in range(1, 1001, 100):
        values = [float(value) for value in range(start, start + 100)]
        cloudwatch.put_metric_data(
            Namespace=NAMESPACE, MetricData=[{"MetricName": "Latency", "Values": values}]
        )
    [point] = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="Latency",
        Period=86400,
        ExtendedStatistics=["p50", "p99.9"],
        **hour(),
    )["Datapoints"]
    assert point["ExtendedStatistics"]["p50"] == pytest.approx(500, rel=0.011)
    assert point["ExtendedStatistics"]["p99.9"] == pytest.approx(999, rel=0.011)


def test_lists_of_metrics(cloudwatch: Any, called: str) -> None:
    """By namespace, name and dimensions; a dimension without a value fits any."""
    put(cloudwatch, Value=1.0, Dimensions=[{"Name": "Shop", "Value": "south"}])
    found = cloudwatch.list_metrics(
        Namespace="AWS/Lambda",
        MetricName="Invocations",
        Dimensions=[{"Name": "FunctionName", "Value": called}],
        RecentlyActive="PT3H",
    )["Metrics"]
    dimensions = [
        {dimension["Name"]: dimension["Value"] for dimension in each["Dimensions"]}
        for each in found
    ]
    assert {"FunctionName": called} in dimensions
    assert {"FunctionName": called, "Resource": f"{called}:live"} in dimensions
    shops = cloudwatch.list_metrics(Namespace=NAMESPACE, Dimensions=[{"Name": "Shop"}])["Metrics"]
    assert {shop["Dimensions"][0]["Value"] for shop in shops} >= {"south"}
    other = cloudwatch.list_metrics(Namespace="Nowhere")
    assert other["Metrics"] == []


def test_accounts_and_regions_have_their_own(platform: Platform, cloudwatch: Any) -> None:
    """A metric is seen in the account and Region it was put in."""
    put(cloudwatch, Value=1.0)
    elsewhere = platform.client("cloudwatch", region_name="eu-west-1")
    assert elsewhere.list_metrics(Namespace=NAMESPACE)["Metrics"] == []
    stranger = platform.client("cloudwatch", aws_access_key_id="222222222222")
    assert stranger.list_metrics(Namespace=NAMESPACE)["Metrics"] == []


NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({}, "MissingParameter"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ({"Value": math.nan}, "SerializationException"),
        ({"Value": math.inf}, "SerializationException"),
        ({"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue"),
        ({"Values": [1.0] * 151}, "InvalidParameterValue"),
        ({"Values": [1.0], "Counts": [-1.0]}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": NOW - 15 * DAY}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": NOW + DAY}, "InvalidParameterValue"),
        (
            {"Value": 1.0, "Dimensions": [{"Name": "a", "Value": "1"}] * 2},
            "InvalidParameterValue",
        ),
    ],
)
def test_values_that_are_refused(cloudwatch: Any, datum: dict[str, Any], code: str) -> None:
    """With CloudWatch's errors; no value of the request is recorded."""
    data = [{"MetricName": "Refused", "Value": 1.0}, {"MetricName": "Refused", **datum}]
    assert code_of(cloudwatch.put_metric_data, Namespace=NAMESPACE, MetricData=data) == code
    assert cloudwatch.list_metrics(MetricName="Refused")["Metrics"] == []


def test_requests_that_are_refused(cloudwatch: Any) -> None:
    """Namespaces of AWS, periods below a minute, times in the wrong order, metric math."""
    data = [{"MetricName": "m", "Value": 1.0}]
    assert (
        code_of(cloudwatch.put_metric_data, Namespace="AWS/Lambda", MetricData=data)
        == "InvalidParameterValue"
    )
    query = {"Namespace": NAMESPACE, "MetricName": "m", "Statistics": ["Sum"], "Period": 60}
    read = cloudwatch.get_metric_statistics
    assert code_of(read, **{**query, "Period": 10}, **hour()) == "InvalidParameterValue"
    backwards = {"StartTime": NOW, "EndTime": NOW - DAY}
    assert code_of(read, **query, **backwards) == "InvalidParameterValue"
    long = {"StartTime": NOW - 2 * DAY, "EndTime": NOW}
    assert code_of(read, **query, **long) == "InvalidParameterCombination"
    assert code_of(read, **{**query, "Statistics": []}, **hour()) in (
        "MissingParameter",
        "ValidationError",
    )
    for expression in ("LAMBDA('f')", "m1 + 1", "SUM(", "1 + 1"):
        math_query = [{"Id": "e", "Expression": expression}]
        code = code_of(cloudwatch.get_metric_data, MetricDataQueries=math_query, **hour())
        assert code == "ValidationError"
    for token in ("x", "9/0", "-1/0", "0/" + "9" * 30, "1"):
        code = code_of(
            cloudwatch.get_metric_data,
            MetricDataQueries=[
                {
                    "Id": "m",
                    "MetricStat": {
                        "Metric": {"Namespace": NAMESPACE, "MetricName": "m"},
                        "Period": 60,
                        "Stat": "Sum",
                    },
                }
            ],
            NextToken=token,
            **hour(),
        )
        assert code == "InvalidNextToken"


def test_the_older_protocol(platform: Platform) -> None:
    """Older SDKs send a form and read XML."""
    form = {
        "Action": "PutMetricData",
        "Version": "2010-08-01",
        "Namespace": NAMESPACE,
        "MetricData.member.1.MetricName": "Form",
        "MetricData.member.1.Value": "2.5",
        "MetricData.member.1.Dimensions.member.1.Name": "Shop",
        "MetricData.member.1.Dimensions.member.1.Value": "east",
    }
    assert send_form(platform, form)[0] == 200
    status, text = send_form(
        platform, {"Action": "ListMetrics", "Version": "2010-08-01", "MetricName": "Form"}
    )
    assert status == 200
    assert "<Value>east</Value>" in text
    status, text = send_form(platform, {**form, "Namespace": "AWS/Lambda"})
    assert status == 400
    assert "<Code>InvalidParameterValue</Code>" in text


def send_form(platform: Platform, form: dict[str, str]) -> tuple[int, str]:
    body = urllib.parse.urlencode(form)
    request = AWSRequest(
        method="POST",
        url=f"{platform.endpoint}/",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    SigV4Auth(Credentials(ACCOUNT, "secret"), "monitoring", "us-east-1").add_auth(request)
    sent = urllib.request.Request(
        request.url, data=body.encode(), headers=dict(request.headers), method="POST"
    )
    try:
        with urllib.request.urlopen(sent) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_json_protocol(platform: Platform) -> None:
    """What clients between the two speak."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData",
    }
    body = json.dumps(
        {
            "Namespace": NAMESPACE,
            "MetricData": [{"MetricName": "Json", "Value": 1, "Timestamp": int(time.time())}],
        }
    )
    request = AWSRequest("POST", f"{platform.endpoint}/", data=body, headers=headers)
    SigV4Auth(Credentials(ACCOUNT, "secret"), "monitoring", "us-east-1").add_auth(request)
    sent = urllib.request.Request(
        request.url, data=body.encode(), headers=dict(request.headers), method="POST"
    )
    with urllib.request.urlopen(sent) as response:
        assert response.status == 200
    client = platform.client("cloudwatch")
    assert len(client.list_metrics(MetricName="Json")["Metrics"]) == 1


def test_the_command_line(platform: Platform, called: str) -> None:
    """`aws cloudwatch` reads and writes metrics."""
    put_data = ["put-metric-data", "--namespace", NAMESPACE, "--metric-name", "Cli", "--value", "4"]
    assert aws(platform, *put_data) == ""
    listed = json.loads(aws(platform, "list-metrics", "--metric-name", "Cli"))
    assert [metric["Namespace"] for metric in listed["Metrics"]] == [NAMESPACE]
    times = hour()
    shown = json.loads(
        aws(
            platform,
            *("get-metric-statistics", "--namespace", "AWS/Lambda", "--metric-name", "Invocations"),
            *("--dimensions", f"Name=FunctionName,Value={called}", "--period", "7200"),
            *("--statistics", "Sum", "--start-time", times["StartTime"].isoformat()),
            *("--end-time", times["EndTime"].isoformat()),
        )
    )
    assert sum(point["Sum"] for point in shown["Datapoints"]) >= 6


def aws(platform: Platform, *arguments: str) -> str:
    done = subprocess.run(
        [
            f"{os.path.dirname(sys.executable)}/aws",
            "--endpoint-url",
            platform.endpoint,
            "cloudwatch",
            *arguments,
        ],
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_metrics_outlive_the_platform(start_platform: Any) -> None:
    """Values recorded before an orderly stop are there after a restart."""
    first = start_platform()
    put(first.client("cloudwatch"), Value=5.0)
    assert first.stop() == 0
    second = start_platform(first.data_dir)
    found = second.client("cloudwatch").list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert [metric["MetricName"] for metric in found] == ["Orders"]


def test_a_client_of_boto3_needs_no_settings(platform: Platform) -> None:
    """But the endpoint and credentials."""
    client = boto3.client(
        "cloudwatch",
        endpoint_url=platform.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    assert "Metrics" in client.list_metrics()


def test_requests_to_function_urls(platform: Platform, cloudwatch: Any) -> None:
    """Counted by the status that the client got, with their latency; and what the account has
    claimed of its concurrency."""
    client, name = platform.client("lambda"), "measured-url"
    source = "def handler(event, context):\n    return {'statusCode': int(event['rawPath'][1:])}"
    deploy(client, name, {"app.py": source})
    client.create_function_url_config(FunctionName=name, AuthType="NONE")
    url = client.get_function_url_config(FunctionName=name)["FunctionUrl"]
    host = urllib.parse.urlsplit(url).netloc
    for status in (200, 404, 404, 503):
        request = urllib.request.Request(f"{platform.endpoint}/{status}", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                assert response.status == status
        except urllib.error.HTTPError as error:
            assert error.code == status
    of_function = {"FunctionName": name}
    for metric, expected in (("UrlRequestCount", 4), ("Url4xxCount", 2), ("Url5xxCount", 1)):
        assert statistics(cloudwatch, metric, "Sum", **of_function) == {"Sum": expected}, metric
    latency = statistics(cloudwatch, "UrlRequestLatency", "SampleCount", **of_function)
    assert latency == {"SampleCount": 4}
    assert statistics(cloudwatch, "ClaimedAccountConcurrency", "Maximum")["Maximum"] >= 1
    client.delete_function(FunctionName=name)
