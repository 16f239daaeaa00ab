"""Amazon Kinesis."""

from typing import Any

from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Name, Part, Retag, Row, Wait, only, op

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


ROWS = (STREAM,)
