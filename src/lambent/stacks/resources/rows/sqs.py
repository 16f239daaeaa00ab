"""Amazon SQS."""

from lambent.stacks.resources.resource_type import Properties
from lambent.stacks.resources.row_type import Bag, Find, Name, Part, Retag, Row, only, op


def _suffix(properties: Properties) -> str:
    return ".fifo" if str(properties.get("FifoQueue")).lower() == "true" else ""


QUEUE = Row(
    name="AWS::SQS::Queue",
    service="sqs",
    named=Name("QueueName", 80, suffix=_suffix),
    bag=Bag(
        "Attributes",
        (
            "ContentBasedDeduplication",
            "DeduplicationScope",
            "DelaySeconds",
            "FifoQueue",
            "FifoThroughputLimit",
            "KmsDataKeyReusePeriodSeconds",
            "KmsMasterKeyId",
            "MaximumMessageSize",
            "MessageRetentionPeriod",
            "ReceiveMessageWaitTimeSeconds",
            "RedriveAllowPolicy",
            "RedrivePolicy",
            "SqsManagedSseEnabled",
            "VisibilityTimeout",
        ),
    ),
    create=op("CreateQueue"),
    find=Find(only("GetQueueUrl", QueueName="{QueueName}")),
    physical="{.QueueUrl}",
    keys={"QueueUrl": "{$id}"},
    read=only("GetQueueAttributes", AttributeNames=["All"]),
    update=(op("SetQueueAttributes"),),
    delete=only("DeleteQueue"),
    attributes={
        "Arn": "{.Attributes.QueueArn}",
        "QueueName": "{QueueName}",
        "QueueUrl": "{$id}",
    },
    tags="tags",
    is_idempotent=True,
    retag=Retag("TagQueue", "UntagQueue", {}),
    defaults={
        "DelaySeconds": 0,
        "KmsMasterKeyId": "",
        "MaximumMessageSize": 262144,
        "MessageRetentionPeriod": 345600,
        "ReceiveMessageWaitTimeSeconds": 0,
        "RedriveAllowPolicy": "",
        "RedrivePolicy": "",
        "VisibilityTimeout": 30,
    },
)

_POLICY = {"Policy": "{PolicyDocument}"}
_NO_POLICY = {"Policy": ""}

QUEUE_POLICY = Row(
    name="AWS::SQS::QueuePolicy",
    service="sqs",
    create=None,
    physical="{$name}",
    attributes={"Id": "{$id}"},
    parts=(
        Part(
            of=("Queues",),
            with_=("PolicyDocument",),
            is_each=True,
            put=only("SetQueueAttributes", QueueUrl="{*}", Attributes=_POLICY),
            remove=only("SetQueueAttributes", QueueUrl="{*}", Attributes=_NO_POLICY),
            is_deleted_first=True,
        ),
    ),
)

QUEUE_INLINE_POLICY = Row(
    name="AWS::SQS::QueueInlinePolicy",
    service="sqs",
    create=only("SetQueueAttributes", QueueUrl="{Queue}", Attributes=_POLICY),
    physical="{Queue}",
    keys={"QueueUrl": "{Queue}"},
    update=(only("SetQueueAttributes", Attributes=_POLICY),),
    delete=only("SetQueueAttributes", Attributes=_NO_POLICY),
)

ROWS = (QUEUE, QUEUE_POLICY, QUEUE_INLINE_POLICY)
