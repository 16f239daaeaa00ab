"""Amazon SQS."""

from lambent.stacks.resources.resource_type import Properties
from lambent.stacks.resources.row_type import Bag, Find, Name, Retag, Row, only, op


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

ROWS = (QUEUE,)
