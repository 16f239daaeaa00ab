"""Event source mappings as boto3 sees them. Nothing reads the sources here."""

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import wait_for
from .functions_api import ACCOUNT, arn_of, create_active, refusal

AT = f"us-east-1:{ACCOUNT}"
SQS = f"arn:aws:sqs:{AT}:queue"
FIFO = f"arn:aws:sqs:{AT}:queue.fifo"
KINESIS = f"arn:aws:kinesis:{AT}:stream/s"
DYNAMODB = f"arn:aws:dynamodb:{AT}:table/t/stream/2026-01-31T00:00:00.000"
MSK = f"arn:aws:kafka:{AT}:cluster/c/00000000-0000-4000-8000-000000000000-1"
MQ = f"arn:aws:mq:{AT}:broker:b:b-00000000-0000-4000-8000-000000000000"
AUTHENTICATION = [{"Type": "BASIC_AUTH", "URI": f"arn:aws:secretsmanager:{AT}:secret:s-abcdef"}]


@pytest.fixture
def function(client: Any, name: str) -> str:
    """A function with version 1 and the alias `live`."""
    create_active(client, name)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def in_state(client: Any, mapping_id: str, state: str) -> dict[str, Any]:
    """Wait until the mapping is in this state; returns it."""

    def look() -> Any:
        found = client.get_event_source_mapping(UUID=mapping_id)
        return found if found["State"] == state else None

    found: dict[str, Any] = wait_for(look, f"{mapping_id} is {state}")
    return found


def create(client: Any, **members: Any) -> dict[str, Any]:
    """CreateEventSourceMapping, without what differs from call to call."""
    created: dict[str, Any] = client.create_event_source_mapping(**members)
    assert created.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    assert isinstance(created.pop("LastModified"), datetime.datetime)
    assert uuid.UUID(created["UUID"])
    arn = created.pop("EventSourceMappingArn")
    assert arn == f"arn:aws:lambda:{AT}:event-source-mapping:{created['UUID']}"
    return created


def test_a_queue_s_mapping(client: Any, function: str) -> None:
    """Exactly AWS's members, and the walk through the states."""
    created = create(client, EventSourceArn=SQS, FunctionName=function)
    mapping_id = created.pop("UUID")
    assert created == {
        "BatchSize": 10,
        "EventSourceArn": SQS,
        "FunctionArn": arn_of(function),
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    in_state(client, mapping_id, "Enabled")
    updated = client.update_event_source_mapping(UUID=mapping_id, BatchSize=5)
    assert (updated["State"], updated["BatchSize"]) == ("Updating", 5)
    in_state(client, mapping_id, "Enabled")
    assert client.update_event_source_mapping(UUID=mapping_id, Enabled=False)["State"] == (
        "Disabling"
    )
    in_state(client, mapping_id, "Disabled")
    assert client.update_event_source_mapping(UUID=mapping_id, Enabled=True)["State"] == "Enabling"
    assert in_state(client, mapping_id, "Enabled")["BatchSize"] == 5
    assert client.delete_event_source_mapping(UUID=mapping_id)["State"] == "Deleting"
    gone = ("ResourceNotFoundException", "The resource you requested does not exist.")
    wait_for(
        lambda: not client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"],
        "the mapping is gone",
    )
    for attempt in (
        client.get_event_source_mapping,
        client.update_event_source_mapping,
        client.delete_event_source_mapping,
    ):
        assert refusal(attempt, UUID=mapping_id) == gone


def test_a_stream_s_mapping(client: Any, function: str) -> None:
    """With its checkpoints' settings."""
    created = create(
        client, EventSourceArn=KINESIS, FunctionName=function, StartingPosition="LATEST"
    )
    created.pop("UUID")
    assert created == {
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "EventSourceArn": KINESIS,
        "FunctionArn": arn_of(function),
        "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "LATEST",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
    }


def test_the_other_sources(client: Any, function: str) -> None:
    """Each with what only it has."""
    moment = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)
    servers = {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:2000", "kafka:1000"]}
    consumer = f"{KINESIS}/consumer/c:1700000000"
    for members, shown in (
        ({"EventSourceArn": FIFO}, {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}),
        (
            {
                "EventSourceArn": consumer,
                "StartingPosition": "AT_TIMESTAMP",
                "StartingPositionTimestamp": moment,
            },
            {"StartingPositionTimestamp": moment},
        ),
        ({"EventSourceArn": DYNAMODB, "StartingPosition": "TRIM_HORIZON"}, {"BatchSize": 100}),
        (
            {"EventSourceArn": MSK, "StartingPosition": "LATEST", "Topics": ["topic"]},
            {"Topics": ["topic"]},
        ),
        (
            {
                "SelfManagedEventSource": {"Endpoints": servers},
                "Topics": ["topic"],
                "SourceAccessConfigurations": AUTHENTICATION,
            },
            {
                "SelfManagedEventSource": {"Endpoints": servers},
                "StartingPosition": "TRIM_HORIZON",
            },
        ),
        (
            {
                "EventSourceArn": MQ,
                "Queues": ["q"],
                "SourceAccessConfigurations": AUTHENTICATION,
            },
            {"Queues": ["q"], "SourceAccessConfigurations": AUTHENTICATION},
        ),
    ):
        created = create(client, FunctionName=function, **members)
        assert {name: created[name] for name in shown} == shown
        if "Topics" in members:
            config = created.get("AmazonManagedKafkaEventSourceConfig") or created.get(
                "SelfManagedKafkaEventSourceConfig"
            )
            assert config == {"ConsumerGroupId": created["UUID"]}
            assert ("EventSourceArn" in created) == (members.get("EventSourceArn") == MSK)


def test_a_fifo_queue_has_no_window(client: Any, function: str) -> None:
    """A window of zero is accepted and returned."""
    created = create(
        client, EventSourceArn=FIFO, FunctionName=function, MaximumBatchingWindowInSeconds=0
    )
    assert created["MaximumBatchingWindowInSeconds"] == 0
    assert in_state(client, created["UUID"], "Enabled")["MaximumBatchingWindowInSeconds"] == 0
    code, message = refusal(
        client.update_event_source_mapping,
        UUID=created["UUID"],
        MaximumBatchingWindowInSeconds=1,
    )
    assert code == "InvalidParameterValueException"
    assert message.startswith("Unsupported MaximumBatchingWindowInSeconds parameter")
    updated = client.update_event_source_mapping(
        UUID=created["UUID"], MaximumBatchingWindowInSeconds=0, BatchSize=5
    )
    assert updated["MaximumBatchingWindowInSeconds"] == 0


def test_functions_may_be_named_in_every_way(client: Any, function: str) -> None:
    """The ARN keeps the given qualifier; a mapping created disabled stays disabled."""
    for number, (name, arn) in enumerate(
        (
            (function, arn_of(function)),
            (arn_of(function), arn_of(function)),
            (f"{function}:live", f"{arn_of(function)}:live"),
            (f"{ACCOUNT}:function:{function}:1", f"{arn_of(function)}:1"),
        )
    ):
        created = create(client, EventSourceArn=f"{SQS}{number}", FunctionName=name, Enabled=False)
        assert created["FunctionArn"] == arn
        assert created["State"] == "Disabled"


def test_lists(connect: Callable[..., Any]) -> None:
    """Of a function, of a source, in pages of a hundred."""
    client = connect("999999999999")
    for name in ("a", "b"):
        create_active(client, name)
    queue = "arn:aws:sqs:us-east-1:999999999999:q"
    for number in range(101):
        client.create_event_source_mapping(EventSourceArn=f"{queue}{number}", FunctionName="a")
    client.create_event_source_mapping(EventSourceArn=f"{queue}0", FunctionName="b")
    pages = list(client.get_paginator("list_event_source_mappings").paginate(FunctionName="a"))
    assert [len(page["EventSourceMappings"]) for page in pages] == [100, 1]
    of_queue = client.list_event_source_mappings(EventSourceArn=f"{queue}0")
    assert len(of_queue["EventSourceMappings"]) == 2
    both = client.list_event_source_mappings(EventSourceArn=f"{queue}0", FunctionName="b")
    assert len(both["EventSourceMappings"]) == 1


def test_one_source_feeds_a_function_once(client: Any, function: str) -> None:
    """But its alias may be fed as well."""
    first = create(client, EventSourceArn=SQS, FunctionName=function)
    create(client, EventSourceArn=SQS, FunctionName=f"{function}:live")
    assert refusal(
        client.create_event_source_mapping, EventSourceArn=SQS, FunctionName=function
    ) == (
        "ResourceConflictException",
        f'An event source mapping with SQS arn (" {SQS} ") and function (" {function} ") already'
        f" exists. Please update or delete the existing mapping with UUID {first['UUID']}",
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "Unrecognized event source."),
        ({"EventSourceArn": f"arn:aws:sns:{AT}:topic"}, "Unrecognized event source."),
        ({"EventSourceArn": SQS, "FunctionName": "nobody"}, "Function does not exist"),
        ({"EventSourceArn": SQS, "FunctionName": "222222222222:function:f"}, "Function does"),
        (
            {"EventSourceArn": SQS, "BatchSize": 11},
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is"
            " greater than 10",
        ),
        ({"EventSourceArn": FIFO, "BatchSize": 11}, "BatchSize of a FIFO queue"),
        (
            {"EventSourceArn": FIFO, "MaximumBatchingWindowInSeconds": 1},
            "Unsupported MaximumBatchingWindowInSeconds parameter",
        ),
        (
            {"EventSourceArn": SQS, "DestinationConfig": {"OnFailure": {"Destination": SQS}}},
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        ({"EventSourceArn": SQS, "ParallelizationFactor": 2}, "Unsupported ParallelizationFactor"),
        (
            {"EventSourceArn": KINESIS},
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy"
            " constraint: Member must not be null.",
        ),
        (
            {"EventSourceArn": DYNAMODB, "StartingPosition": "AT_TIMESTAMP"},
            f"Unsupported starting position for arn type: {DYNAMODB}",
        ),
        ({"EventSourceArn": KINESIS, "StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimes"),
        ({"EventSourceArn": MSK, "StartingPosition": "LATEST"}, "Topics is required"),
        ({"EventSourceArn": MQ}, "Queues is required"),
        (
            {"EventSourceArn": MQ, "Queues": ["q"]},
            "Required 'sourceAccessConfigurations' parameter is missing.",
        ),
        (
            {
                "EventSourceArn": MQ,
                "Queues": ["q"],
                "SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}],
            },
            "Required source access configuration BASIC_AUTH is missing.",
        ),
        (
            {
                "EventSourceArn": MQ,
                "Queues": ["q"],
                "SourceAccessConfigurations": [
                    {"Type": "SASL_SCRAM_512_AUTH", "URI": AUTHENTICATION[0]["URI"]}
                ],
            },
            "Unsupported source access configuration type SASL_SCRAM_512_AUTH",
        ),
        (
            {
                "EventSourceArn": MQ,
                "Queues": ["q"],
                "SourceAccessConfigurations": 2 * AUTHENTICATION,
            },
            "Only one source access configuration can be BASIC_AUTH.",
        ),
        *(
            (
                {
                    "EventSourceArn": MQ,
                    "Queues": ["q"],
                    "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": uri}],
                },
                f"The URI of BASIC_AUTH must be the ARN of a secret: '{uri}'.",
            )
            for uri in (
                *("a-secret", f"arn:aws-x:secretsmanager:{AT}:secret:s-abcdef"),
                f"arn:aws:kms:{AT}:secret:s-abcdef",
            )
        ),
        (
            {
                "SelfManagedEventSource": {
                    "Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000"]}
                },
                "Topics": ["topic"],
                "StartingPosition": "LATEST",
            },
            "Required 'sourceAccessConfigurations' parameter is missing.",
        ),
        (
            {
                "EventSourceArn": SQS,
                "ScalingConfig": {"MaximumConcurrency": 2},
                "ProvisionedPollerConfig": {"MinimumPollers": 2},
            },
            "ScalingConfig and ProvisionedPollerConfig",
        ),
        (
            {"EventSourceArn": SQS, "ProvisionedPollerConfig": {"MinimumPollers": 1}},
            "MinimumPollers must be at least 2",
        ),
        (
            {
                "EventSourceArn": KINESIS,
                "StartingPosition": "LATEST",
                "MaximumRecordAgeInSeconds": 5,
            },
            "MaximumRecordAgeInSeconds must be -1",
        ),
    ],
)
def test_refusals(client: Any, function: str, members: dict[str, Any], message: str) -> None:
    """What does not fit the source, in AWS's words where they are known."""
    code, text = refusal(
        client.create_event_source_mapping, **{"FunctionName": function, **members}
    )
    assert code == "InvalidParameterValueException"
    assert text.startswith(message)


@pytest.mark.parametrize(
    "pattern",
    [
        '{"body": ["x"]}',
        '{"body": {"a": [{"prefix": "x"}, null, 1, true]}}',
        '{"body": {"a": [{"anything-but": ["x", 2]}], "b": [{"exists": false}]}}',
        '{"body": {"a": [{"numeric": [">", 0, "<=", 5]}]}}',
        '{"body": {"$or": [{"a": ["x"]}, {"b": [{"cidr": "10.0.0.0/8"}]}]}}',
        '{"body": {"a": [{"suffix": {"equals-ignore-case": "x"}}, {"wildcard": "a*b"}]}}',
        '{"body": {"a": [{"anything-but": {"prefix": "x"}}]}}',
    ],
)
def test_filters(client: Any, function: str, pattern: str) -> None:
    """Well-formed patterns are stored unchanged, and removed by an empty structure."""
    criteria = {"Filters": [{"Pattern": pattern}]}
    created = create(client, EventSourceArn=SQS, FunctionName=function, FilterCriteria=criteria)
    assert created["FilterCriteria"] == criteria
    in_state(client, created["UUID"], "Enabled")
    updated = client.update_event_source_mapping(UUID=created["UUID"], FilterCriteria={})
    assert "FilterCriteria" not in updated


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "null",
        '"x"',
        "[]",
        "{",
        "{}",
        '{"eventSource": "aws:sqs"}',
        '{"eventSource": []}',
        '{"a": [[1]]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"unknown": "x"}]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"a": [{"numeric": ["<"]}]}',
        '{"a": [{"numeric": ["<", "5"]}]}',
        '{"a": [{"exists": "yes"}]}',
        '{"a": [{"cidr": "everywhere"}]}',
        '{"a": [NaN]}',
        '{"a": [{"numeric": ["=", 1, "=", 2]}]}',
        '{"a": [{"numeric": [">", 5, "<", 1]}]}',
        '{"a": [{"anything-but": true}]}',
        '{"a": [{"wildcard": "a**b"}]}',
        '{"a": [{"anything-but": []}]}',
        '{"$or": [{"a": [1]}]}',
        '{"a":' * 1000,
        "[" * 4000,
        json.dumps({"a": {"b": {"c": {}}}}),
    ],
)
def test_patterns_that_are_none(client: Any, function: str, pattern: str) -> None:
    """Whatever is wrong, AWS's message is the same."""
    code, message = refusal(
        client.create_event_source_mapping,
        EventSourceArn=SQS,
        FunctionName=function,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )
    assert code in ("InvalidParameterValueException", "ValidationException")
    if code == "InvalidParameterValueException":
        assert message == "Invalid filter pattern definition."


def test_patterns_of_streams_are_about_objects(client: Any, function: str) -> None:
    """Their records are JSON; a plain pattern for them could never match."""
    for arn, pattern in ((KINESIS, '{"data": ["x"]}'), (DYNAMODB, '{"dynamodb": ["x"]}')):
        code, message = refusal(
            client.create_event_source_mapping,
            EventSourceArn=arn,
            FunctionName=function,
            StartingPosition="LATEST",
            FilterCriteria={"Filters": [{"Pattern": pattern}]},
        )
        assert (code, message) == (
            "InvalidParameterValueException",
            "Invalid filter pattern definition.",
        )


def test_a_kafka_mapping_is_changed(client: Any, function: str) -> None:
    """The consumer group stays, pollers are merged, some members need provisioned mode."""
    members = {"EventSourceArn": MSK, "StartingPosition": "LATEST", "Topics": ["topic"]}
    assert refusal(
        client.create_event_source_mapping,
        FunctionName=function, BisectBatchOnFunctionError=True, **members,
    )[0] == "InvalidParameterValueException"  # fmt: skip
    created = create(
        client,
        FunctionName=function,
        ProvisionedPollerConfig={"MinimumPollers": 2, "PollerGroupName": "group"},
        BisectBatchOnFunctionError=True,
        **members,
    )
    which = {"UUID": created["UUID"]}
    in_state(client, created["UUID"], "Enabled")
    config = {"ConsumerGroupId": "other"}
    assert (
        refusal(
            client.update_event_source_mapping, **which, AmazonManagedKafkaEventSourceConfig=config
        )[1]
        == "ConsumerGroupId cannot be changed."
    )
    updated = client.update_event_source_mapping(
        **which,
        AmazonManagedKafkaEventSourceConfig={},
        ProvisionedPollerConfig={"PollerGroupName": ""},
    )
    assert updated["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": created["UUID"]}
    assert updated["ProvisionedPollerConfig"] == {"MinimumPollers": 2}


def test_queues_of_one_broker(client: Any, function: str) -> None:
    """Each may feed the function; functions that may run too long may not be fed."""
    access = {"SourceAccessConfigurations": AUTHENTICATION}
    for queue in ("a", "b"):
        create(client, EventSourceArn=MQ, FunctionName=function, Queues=[queue], **access)
    code, message = refusal(
        client.create_event_source_mapping,
        EventSourceArn=MQ, FunctionName=function, Queues=["a"], **access,
    )  # fmt: skip
    assert code == "ResourceConflictException"
    assert "SQS" not in message
    long = f"{function}-long"
    create_active(client, long, Timeout=900)
    assert refusal(
        client.create_event_source_mapping,
        EventSourceArn=MQ, FunctionName=long, Queues=["a"], **access,
    )[0] == "InvalidParameterValueException"  # fmt: skip


def test_lists_by_qualifier_and_without_encrypted_filters(client: Any, function: str) -> None:
    """A qualifier narrows a list; encrypted filters are only returned for a single mapping."""
    key = "arn:aws:kms:us-east-1:111111111111:key/k"
    criteria = {"Filters": [{"Pattern": '{"body": ["x"]}'}]}
    create(client, EventSourceArn=SQS, FunctionName=function)
    mine = create(
        client, EventSourceArn=SQS, FunctionName=f"{function}:live",
        FilterCriteria=criteria, KMSKeyArn=key,
    )  # fmt: skip
    (found,) = client.list_event_source_mappings(FunctionName=f"{function}:live")[
        "EventSourceMappings"
    ]
    assert found["UUID"] == mine["UUID"]
    assert "FilterCriteria" not in found
    assert client.get_event_source_mapping(UUID=mine["UUID"])["FilterCriteria"] == criteria
    client.delete_function(FunctionName=function)
    left = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    assert len(left) == 2


def test_nothing_holds_a_nul(client: Any, function: str) -> None:
    """Refused everywhere: in a path, in a query, in a body."""
    for attempt, members in (
        (client.get_event_source_mapping, {"UUID": "\0" * 36}),
        (client.list_event_source_mappings, {"EventSourceArn": f"{SQS}\0"}),
        (client.create_event_source_mapping, {"EventSourceArn": MQ, "Queues": ["a\0b"]}),
    ):
        named = {"FunctionName": function} if "Queues" in members else {}
        assert refusal(attempt, **named, **members)[0] == "SerializationException"


def test_mappings_outlive_their_function(client: Any, function: str) -> None:
    """And have their own tags."""
    created = create(client, EventSourceArn=SQS, FunctionName=function, Tags={"team": "a"})
    arn = f"arn:aws:lambda:{AT}:event-source-mapping:{created['UUID']}"
    client.tag_resource(Resource=arn, Tags={"stage": "b"})
    assert client.list_tags(Resource=arn)["Tags"] == {"team": "a", "stage": "b"}
    client.delete_function(FunctionName=function)
    assert in_state(client, created["UUID"], "Enabled")["FunctionArn"] == arn_of(function)
    client.delete_event_source_mapping(UUID=created["UUID"])
    wait_for(
        lambda: not client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"],
        "the mapping is gone",
    )
    assert refusal(client.list_tags, Resource=arn)[1].startswith("Event source mapping not")


def test_a_mapping_is_retargeted(client: Any, function: str, name: str) -> None:
    """To another function, which must be there."""
    created = create(client, EventSourceArn=SQS, FunctionName=function)
    in_state(client, created["UUID"], "Enabled")
    which = {"UUID": created["UUID"]}
    assert refusal(client.update_event_source_mapping, **which, FunctionName="nobody")[1] == (
        "Function does not exist"
    )
    updated = client.update_event_source_mapping(**which, FunctionName=f"{function}:live")
    assert updated["FunctionArn"] == f"{arn_of(function)}:live"
