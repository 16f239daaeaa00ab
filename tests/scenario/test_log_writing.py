"""What callers write to CloudWatch Logs: streams, events, metric filters, saved queries."""

import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Platform, wait_for

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def logs(platform: Platform) -> Any:
    return platform.client("logs")


@pytest.fixture
def group(logs: Any) -> str:
    """A group of the test's own, with a stream `s`."""
    name = f"/app/{uuid.uuid4()}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def now_ms() -> int:
    return int(time.time() * 1000)


def put(logs: Any, group: str, *events: tuple[int, str], stream: str = "s") -> Any:
    """PutLogEvents, with times relative to now."""
    now = now_ms()
    return logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": now + at_ms, "message": message} for at_ms, message in events],
    )


def messages(logs: Any, group: str, **options: Any) -> list[str]:
    """What FilterLogEvents finds."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **options)
    return [event["message"] for page in pages for event in page["events"]]


def code_of(call: Any, /, **members: Any) -> str:
    """The code of the error of a call."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    return str(caught.value.response["Error"]["Code"])


def test_events_are_written_as_they_are(logs: Any, group: str) -> None:
    """Text for text, in several batches, with the token of the last one or any other."""
    assert "rejectedLogEventsInfo" not in put(logs, group, (-1000, "one"), (-500, "two\nlines\n"))
    answer = put(logs, group, (0, "€ three"))
    logs.put_log_events(
        logGroupName=group,
        logStreamName="s",
        sequenceToken=answer["nextSequenceToken"],
        logEvents=[{"timestamp": now_ms(), "message": "four"}],
    )
    assert messages(logs, group) == ["one", "two\nlines\n", "€ three", "four"]
    assert messages(logs, group, startFromHead=False, startTime=now_ms() - HOUR_MS) == [
        "four",
        "€ three",
        "two\nlines\n",
        "one",
    ]
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["lastEventTimestamp"] - stream["firstEventTimestamp"] >= 1000
    events = logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True)
    assert events["events"][0]["message"] == "one"


def test_events_of_the_future_are_found(logs: Any, group: str) -> None:
    """Up to two hours ahead, also by a reader that starts there."""
    put(logs, group, (HOUR_MS, "later"))
    put(logs, group, (0, "now"))
    assert messages(logs, group, startTime=now_ms() + HOUR_MS // 2) == ["later"]


def test_what_a_batch_may_not_be(logs: Any, group: str) -> None:
    """Out of order, longer than a day, larger than a megabyte, or of no stream."""
    for events in (
        [(0, "a"), (-1, "b")],
        [(-DAY_MS - 1000, "a"), (0, "b")],
        [(0, "x" * 600_000), (0, "y" * 600_000)],
    ):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            put(logs, group, *events)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        put(logs, group, (0, "a"), stream="none")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        put(logs, f"{group}-none", (0, "a"))
    assert messages(logs, group) == []


def test_events_that_are_too_old_or_too_new_are_left_out(logs: Any, group: str) -> None:
    """The response says which; the others are written."""
    answer = put(logs, group, (HOUR_MS, "kept"), (3 * HOUR_MS, "new"))
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    answer = put(
        logs, group, (-14 * DAY_MS - HOUR_MS, "old"), (-14 * DAY_MS + HOUR_MS, "kept, too")
    )
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert messages(logs, group) == ["kept, too", "kept"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    answer = put(logs, group, (-DAY_MS - HOUR_MS, "expired"), (-HOUR_MS * 2, "young"))
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert messages(logs, group) == ["young", "kept"]
    logs.delete_retention_policy(logGroupName=group)
    assert messages(logs, group)[0] == "kept, too"


def test_streams_come_and_go(logs: Any, group: str) -> None:
    """They can be created once, listed, deleted with their events, and created again."""
    members = {"logGroupName": group, "logStreamName": "s"}
    assert code_of(logs.create_log_stream, **members) == "ResourceAlreadyExistsException"
    put(logs, group, (0, "first life"))
    logs.delete_log_stream(**members)
    assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []
    assert code_of(logs.delete_log_stream, **members) == "ResourceNotFoundException"
    logs.create_log_stream(**members)
    put(logs, group, (0, "second life"))
    assert messages(logs, group) == ["second life"]
    missing = {"logGroupName": f"{group}-none", "logStreamName": "s"}
    assert code_of(logs.create_log_stream, **missing) == "ResourceNotFoundException"
    assert code_of(logs.delete_log_stream, **missing) == "ResourceNotFoundException"


def test_many_streams_stay_apart(logs: Any, group: str) -> None:
    """More than are kept open."""
    for number in range(70):
        logs.create_log_stream(logGroupName=group, logStreamName=f"n{number:02}")
        put(logs, group, (0, f"{number}"), stream=f"n{number:02}")
    put(logs, group, (0, "again"), stream="n00")
    assert messages(logs, group, logStreamNames=["n00"]) == ["0", "again"]
    assert len(messages(logs, group, logStreamNamePrefix="n")) == 71


def test_a_group_can_be_protected(logs: Any, group: str) -> None:
    """It cannot be deleted until the protection ends."""
    logs.put_log_group_deletion_protection(logGroupIdentifier=group, deletionProtectionEnabled=True)
    assert code_of(logs.delete_log_group, logGroupName=group) == "ValidationException"
    assert (
        code_of(logs.delete_log_stream, logGroupName=group, logStreamName="s")
        == "ValidationException"
    )
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert described["deletionProtectionEnabled"] is True
    logs.put_log_group_deletion_protection(
        logGroupIdentifier=group, deletionProtectionEnabled=False
    )
    logs.delete_log_group(logGroupName=group)
    assert code_of(logs.delete_log_group, logGroupName=group) == "ResourceNotFoundException"


def test_groups_are_listed_by_pattern_and_tag(logs: Any, group: str) -> None:
    """Prefixes, texts, several of them, tags, identifiers."""
    unique = group[5:25]
    logs.tag_log_group(logGroupName=group, tags={"team": unique})

    def names(**options: Any) -> list[str]:
        found = logs.list_log_groups(**options)["logGroups"]
        return [each["logGroupName"] for each in found]

    assert names(logGroupNamePattern=unique) == [group]
    assert names(logGroupNamePattern=f"^{unique}") == []
    assert names(logGroupNamePattern=f"^{group[:20]}|{unique[::-1]}") == [group]
    assert names(logGroupTags=[{"key": "team", "values": [unique]}]) == [group]
    described = logs.describe_log_groups(logGroupIdentifiers=[group])["logGroups"]
    assert [each["logGroupName"] for each in described] == [group]


def test_fields_of_a_group(logs: Any, group: str) -> None:
    """GetLogGroupFields says in how many events a field is."""
    put(logs, group, (-20, '{"a": {"b": 1}}'), (-10, '{"c": 1}'), (0, "text"), (0, "text"))
    found = logs.get_log_group_fields(logGroupName=group)["logGroupFields"]
    fields = {each["name"]: each["percent"] for each in found}
    assert (fields["@message"], fields["a.b"], fields["c"]) == (100, 25, 25)
    assert "@ptr" not in fields
    old = logs.get_log_group_fields(logGroupName=group, time=1_000_000_000)
    assert old["logGroupFields"] == []


def metric(platform: Platform, namespace: str, name: str, **options: Any) -> dict[str, float]:
    """Sum and number of the values of a metric of the last minutes."""
    now = time.time()
    points = platform.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        StartTime=now - 600,
        EndTime=now + 60,
        Period=3600,
        Statistics=["Sum", "SampleCount"],
        **options,
    )["Datapoints"]
    return {
        "sum": sum(point["Sum"] for point in points),
        "count": sum(point["SampleCount"] for point in points),
    }


def test_metric_filters_record(platform: Platform, logs: Any, group: str) -> None:
    """Occurrences, values and dimensions, from text, JSON and fields."""
    space = f"app-{uuid.uuid4().hex[:8]}"

    def create(name: str, pattern: str, value: str, **options: Any) -> None:
        transformation = {"metricName": name, "metricNamespace": space, "metricValue": value}
        logs.put_metric_filter(
            logGroupName=group,
            filterName=name,
            filterPattern=pattern,
            metricTransformations=[{**transformation, **options}],
        )

    create("errors", "ERROR", "1", defaultValue=0.0)
    create("nothing", "NOTHING", "1", defaultValue=5.0)
    create("latency", "{ $.latency = * }", "$.latency", unit="Milliseconds")
    create("by-path", "{ $.path = * }", "1", dimensions={"Path": "$.path"})
    create("bytes", "[ip, ..., status = 2*, bytes]", "$bytes")
    create("ready", "READY", "1")

    def is_ready() -> bool:
        put(logs, group, (0, "READY"))
        return metric(platform, space, "ready")["sum"] > 0

    wait_for(is_ready, "the filters are in use")
    put(
        logs,
        group,
        (0, "ERROR one"),
        (0, "ERROR two"),
        (0, '{"latency": 12.5, "path": "/a"}'),
        (0, '{"latency": 7.5, "path": "/b"}'),
        (0, '{"latency": "none", "path": "/b"}'),
        (0, '10.0.0.1 [now] "GET / HTTP/1.1" 200 512'),
    )
    wait_for(lambda: metric(platform, space, "errors")["sum"] == 2, "errors are counted")
    wait_for(lambda: metric(platform, space, "bytes")["sum"] == 512, "bytes are counted")
    assert metric(platform, space, "latency", Unit="Milliseconds") == {"sum": 20, "count": 2}
    nothing = metric(platform, space, "nothing")
    assert nothing["sum"] == 5 * nothing["count"] > 0  # once in each minute
    path = [{"Name": "Path", "Value": "/b"}]
    assert metric(platform, space, "by-path", Dimensions=path)["sum"] == 2
    (described,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert described["metricFilterCount"] == 6
    (found,) = logs.describe_metric_filters(metricName="latency", metricNamespace=space)[
        "metricFilters"
    ]
    assert (found["filterName"], found["logGroupName"]) == ("latency", group)
    of_group = logs.describe_metric_filters(logGroupName=group, filterNamePrefix="b")
    assert [each["filterName"] for each in of_group["metricFilters"]] == ["by-path", "bytes"]
    logs.delete_metric_filter(logGroupName=group, filterName="errors")
    missing = {"logGroupName": group, "filterName": "errors"}
    assert code_of(logs.delete_metric_filter, **missing) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("pattern", "transformation"),
    [
        ("{ $.a", {}),
        ("x", {"metricValue": "many"}),
        ("x", {"metricValue": "$.a"}),
        ("[a, b]", {"metricValue": "$c"}),
        ("x", {"metricNamespace": "AWS/Lambda"}),
        ("{ $.a = * }", {"dimensions": {"A": "$.a"}, "defaultValue": 1.0}),
        ("{ $.a = * }", {"dimensions": {f"A{n}": "$.a" for n in range(4)}}),
    ],
)
def test_metric_filters_that_are_refused(
    logs: Any, group: str, pattern: str, transformation: Any
) -> None:
    """Before anything is stored."""
    base = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    members = {
        "logGroupName": group,
        "filterName": "f",
        "filterPattern": pattern,
        "metricTransformations": [{**base, **transformation}],
    }
    assert code_of(logs.put_metric_filter, **members) == "InvalidParameterException"
    assert logs.describe_metric_filters(logGroupName=group)["metricFilters"] == []


def test_a_pattern_can_be_tried(logs: Any) -> None:
    """TestMetricFilter: which messages match, and what is in them."""
    found = logs.test_metric_filter(
        filterPattern="[ip, status = 4*]", logEventMessages=["a 404", "b 200", "c 401"]
    )["matches"]
    assert found == [
        {
            "eventNumber": 1,
            "eventMessage": "a 404",
            "extractedValues": {"$ip": "a", "$status": "404"},
        },
        {
            "eventNumber": 3,
            "eventMessage": "c 401",
            "extractedValues": {"$ip": "c", "$status": "401"},
        },
    ]


def test_queries_are_saved(logs: Any, group: str) -> None:
    """Created once per token, replaced, listed, deleted."""
    name = f"q-{uuid.uuid4()}"
    members = {"name": name, "queryString": "fields @message", "logGroupNames": [group]}
    token = str(uuid.uuid4())
    first = logs.put_query_definition(**members, clientToken=token)["queryDefinitionId"]
    assert logs.put_query_definition(**members, clientToken=token)["queryDefinitionId"] == first
    logs.put_query_definition(**{**members, "queryString": "limit 1"}, queryDefinitionId=first)
    found = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
    assert [(each["queryDefinitionId"], each["queryString"]) for each in found] == [
        (first, "limit 1")
    ]
    assert found[0]["logGroupNames"] == [group]
    assert logs.delete_query_definition(queryDefinitionId=first)["success"] is True
    assert (
        code_of(logs.delete_query_definition, queryDefinitionId=first)
        == "ResourceNotFoundException"
    )
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.put_query_definition(**members, queryDefinitionId=first)
