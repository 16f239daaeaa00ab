"""Kinds of event sources: each is whole, and a mapping's members have one meaning."""

from typing import Any

import pytest

from lambent.control.mapping_configuration import configure
from lambent.model.errors import ApiError
from lambent.model.mapping_options import MappingOptions, SourceAccess
from lambent.model.sources.kafka import KAFKA, MSK
from lambent.model.sources.kind import SourceKind
from lambent.model.sources.mq import MQ
from lambent.model.sources.registry import SOURCE_KINDS, identify
from lambent.model.sources.sqs import SQS
from lambent.model.sources.streams import DYNAMODB, KINESIS
from lambent.polling.drivers import SourceDriver, load_driver

pytestmark = pytest.mark.anyio

UUID = "00000000-0000-4000-8000-000000000000"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


@pytest.mark.parametrize("kind", SOURCE_KINDS.values(), ids=lambda kind: kind.name)
async def test_every_kind_is_whole(kind: SourceKind) -> None:
    """It has a driver, and defaults only for members that it takes."""
    assert isinstance(await load_driver(kind), SourceDriver)
    assert kind.defaults.keys() <= kind.parameters
    assert set(kind.required) <= kind.parameters
    text = kind.conflict.format(source="S", function="F", function_arn="A", topics="T")
    assert "S" in text
    assert ("DestinationConfig" in kind.parameters) or not kind.retries_before_destination


def options(kind: SourceKind, **members: Any) -> MappingOptions:
    return MappingOptions.parse(kind, members)


def test_defaults() -> None:
    """Those that the API shows, and those that it does not."""
    for kind, size, window_s, retries in (
        (SQS, 10, 0, None),
        (KINESIS, 100, 0, None),
        (DYNAMODB, 100, 0, None),
        (MSK, 100, 0.5, None),
        (MQ, 100, 0.5, None),
    ):
        found = options(kind)
        assert (found.batch_size, found.window_s, found.retries_max) == (size, window_s, retries)
        assert (found.factor, found.tumbling_s, found.age_max_s) == (1, 0, None)
        assert (found.pollers_min, found.concurrency_max) == (1, None)
        assert (found.filters, found.access, found.on_failure) == ((), (), "")
        assert found.starting_position == "TRIM_HORIZON"


def test_kafka_retries_ten_times_before_a_destination() -> None:
    """If the mapping has no limit; others retry without end."""
    destination: dict[str, Any] = {"DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}}
    assert options(KAFKA, **destination).retries_max == 10
    assert options(KAFKA, **destination, MaximumRetryAttempts=-1).retries_max == 10
    assert options(KAFKA, **destination, MaximumRetryAttempts=2).retries_max == 2
    assert options(KINESIS, **destination).retries_max is None
    assert options(KINESIS, **destination).on_failure == "kafka://t"


def test_members() -> None:
    """As polling reads them."""
    found = options(
        SQS,
        ProvisionedPollerConfig={"MaximumPollers": 3},
        FilterCriteria={"Filters": [{"Pattern": "{}"}, {}]},
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    assert (found.concurrency_max, found.pollers_min) == (30, 2)
    assert found.filters == ("{}", "null")
    assert found.reports_failures
    assert (found.counts_events, found.counts_errors, found.shows_lag) == (True, False, False)
    assert options(SQS, ScalingConfig={"MaximumConcurrency": 7}).concurrency_max == 7
    found = options(
        MSK,
        Topics=["t"],
        AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "g"},
        SourceAccessConfigurations=[{"Type": "BASIC_AUTH", "URI": "arn"}],
        StartingPositionTimestamp=1.5,
        MaximumRecordAgeInSeconds=60,
    )
    assert (found.topics, found.consumer_group) == (("t",), "g")
    assert found.access == (SourceAccess("BASIC_AUTH", "arn"),)
    assert (found.starting_at, found.age_max_s) == (1.5, 60)


@pytest.mark.parametrize(
    ("destination", "allowed"),
    [
        (f"{QUEUE}-other", True),
        ("kafka://topic", False),
        ("arn:aws:kafka:us-east-1:000000000000:cluster/c/u", False),
        ("https://somewhere", False),
        ("nothing", False),
    ],
)
def test_destinations(destination: str, allowed: bool) -> None:
    """Each kind has its own; a scheme is not a service."""
    members = {
        "StartingPosition": "LATEST",
        "DestinationConfig": {"OnFailure": {"Destination": destination}},
    }
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    if allowed:
        configure(KINESIS, arn, members, uuid=UUID)
        return
    with pytest.raises(ApiError, match="is invalid"):
        configure(KINESIS, arn, members, uuid=UUID)


def test_one_kind_for_each_request() -> None:
    """An ARN, or bootstrap servers, never both."""
    servers = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:1", "a:1"]}}
    access = [{"Type": "BASIC_AUTH", "URI": "arn"}]
    own = {"SelfManagedEventSource": servers, "SourceAccessConfigurations": access}
    assert identify({"EventSourceArn": QUEUE}) == (SQS, QUEUE)
    assert identify(own) == (KAFKA, "a:1,b:1")
    assert identify({**own, "EventSourceArn": QUEUE}) is None
    assert identify({"SelfManagedEventSource": {}}) is None
    assert identify({}) is None
    with pytest.raises(ApiError, match="sourceAccessConfigurations"):
        identify({"SelfManagedEventSource": servers})
