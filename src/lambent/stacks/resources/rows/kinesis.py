"""Amazon Kinesis: data streams, and Firehose."""

from typing import Any

from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Find, Name, Part, Retag, Row, Wait, only, op

_HOURS = 24


def _prepare(properties: Properties, _step: Step) -> dict[str, Any]:
    """A stream that is not on demand has a shard; 24 hours need not be set."""
    made = dict(properties)
    mode = (properties.get("StreamModeDetails") or {}).get("StreamMode")
    if mode != "ON_DEMAND":
        made.setdefault("ShardCount", 1)
    if str(made.get("RetentionPeriodHours")) == str(_HOURS):
        del made["RetentionPeriodHours"]
    return made


STREAM = Row(
    name="AWS::Kinesis::Stream",
    service="kinesis",
    named=Name("Name", 128),
    renamed={"Name": "StreamName"},
    create=op("CreateStream"),
    physical="{Name}",
    keys={"StreamName": "{$id}"},
    read=only("DescribeStreamSummary"),
    delete=only("DeleteStream", EnforceConsumerDeletion=True),
    waits_gone=True,
    wait=Wait({"StreamDescriptionSummary.StreamStatus": ("ACTIVE",)}),
    prepare=_prepare,
    attributes={"Arn": "{.StreamDescriptionSummary.StreamARN}"},
    tags="Tags",
    retag=Retag("AddTagsToStream", "RemoveTagsFromStream", {"StreamName": "{$id}"}),
    parts=(
        Part(
            of=("RetentionPeriodHours",),
            put=only(
                "IncreaseStreamRetentionPeriod", RetentionPeriodHours="{RetentionPeriodHours}"
            ),
            remove=only("DecreaseStreamRetentionPeriod", RetentionPeriodHours=_HOURS),
        ),
        Part(
            of=("StreamModeDetails",),
            on_create=False,
            put=only(
                "UpdateStreamMode", StreamARN="{@Arn}", StreamModeDetails="{StreamModeDetails}"
            ),
        ),
        Part(
            of=("ShardCount",),
            on_create=False,
            put=only(
                "UpdateShardCount", TargetShardCount="{ShardCount}", ScalingType="UNIFORM_SCALING"
            ),
        ),
        Part(
            of=("StreamEncryption",),
            put=only("StartStreamEncryption", "{StreamEncryption}"),
            remove=only("StopStreamEncryption", "{StreamEncryption}"),
        ),
    ),
    note="`RetentionPeriodHours` grows in place, or returns to 24 when it is removed.",
)


STREAM_CONSUMER = Row(
    name="AWS::Kinesis::StreamConsumer",
    service="kinesis",
    create=op("RegisterStreamConsumer"),
    physical="{.Consumer.ConsumerARN}",
    find=Find(
        only("ListStreamConsumers", StreamARN="{StreamARN}"),
        "Consumers",
        {"ConsumerName": "{ConsumerName}"},
        "{.ConsumerARN}",
    ),
    keys={"ConsumerARN": "{$id}"},
    read=only("DescribeStreamConsumer"),
    delete=only("DeregisterStreamConsumer"),
    waits_gone=True,
    wait=Wait({"ConsumerDescription.ConsumerStatus": ("ACTIVE",)}),
    attributes={
        "ConsumerARN": "{$id}",
        "ConsumerStatus": "{.ConsumerDescription.ConsumerStatus}",
    },
    tags="Tags",
)

DELIVERY_STREAM = Row(
    name="AWS::KinesisFirehose::DeliveryStream",
    service="firehose",
    named=Name("DeliveryStreamName", 64),
    create=op("CreateDeliveryStream"),
    physical="{DeliveryStreamName}",
    keys={"DeliveryStreamName": "{$id}"},
    read=only("DescribeDeliveryStream"),
    delete=only("DeleteDeliveryStream"),
    waits_gone=True,
    wait=Wait(
        {"DeliveryStreamDescription.DeliveryStreamStatus": ("ACTIVE",)},
        failed=("CREATING_FAILED",),
    ),
    attributes={"Arn": "{.DeliveryStreamDescription.DeliveryStreamARN}"},
    tags="Tags",
    retag=Retag("TagDeliveryStream", "UntagDeliveryStream", {"DeliveryStreamName": "{$id}"}),
    note="Every change but that of tags needs another stream.",
)

ROWS = (STREAM, STREAM_CONSUMER, DELIVERY_STREAM)
