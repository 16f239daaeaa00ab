"""Amazon CloudWatch Logs."""

from lambent.stacks.resources.row_type import Find, Name, Part, Retag, Row, only, op

_NOT_YET = "The platform's API does not offer its operations yet."

LOG_GROUP = Row(
    name="AWS::Logs::LogGroup",
    service="logs",
    named=Name("LogGroupName", 512),
    create=op("CreateLogGroup"),
    physical="{LogGroupName}",
    keys={"logGroupName": "{$id}"},
    find=Find(
        only("DescribeLogGroups", logGroupNamePrefix="{LogGroupName}"),
        "logGroups",
        {"logGroupName": "{LogGroupName}"},
    ),
    delete=only("DeleteLogGroup"),
    created={"Arn": "arn:aws:logs:{$region}:{$account}:log-group:{LogGroupName}:*"},
    tags="tags",
    retag=Retag(
        "TagResource",
        "UntagResource",
        {"resourceArn": "arn:aws:logs:{$region}:{$account}:log-group:{$id}"},
    ),
    parts=(
        Part(
            of=("RetentionInDays",),
            put=only("PutRetentionPolicy", retentionInDays="{RetentionInDays}"),
            remove=only("DeleteRetentionPolicy"),
        ),
        Part(
            of=("KmsKeyId",),
            on_create=False,
            put=only("AssociateKmsKey", kmsKeyId="{KmsKeyId}"),
            remove=only("DisassociateKmsKey"),
        ),
    ),
)

LOG_STREAM = Row(
    name="AWS::Logs::LogStream",
    service="logs",
    named=Name("LogStreamName", 512, parent="LogGroupName"),
    create=op("CreateLogStream"),
    physical="{LogStreamName}",
    keys={"logGroupName": "{LogGroupName}", "logStreamName": "{$id}"},
    find=Find(
        only("DescribeLogStreams", logStreamNamePrefix="{LogStreamName}"),
        "logStreams",
        {"logStreamName": "{LogStreamName}"},
    ),
    delete=only("DeleteLogStream"),
    note=_NOT_YET,
)

SUBSCRIPTION_FILTER = Row(
    name="AWS::Logs::SubscriptionFilter",
    service="logs",
    named=Name("FilterName", 512, parent="LogGroupName"),
    create=op("PutSubscriptionFilter"),
    physical="{FilterName}",
    keys={"logGroupName": "{LogGroupName}", "filterName": "{$id}"},
    update=(op("PutSubscriptionFilter"),),
    delete=only("DeleteSubscriptionFilter"),
    note=_NOT_YET,
)

ROWS = (LOG_GROUP, LOG_STREAM, SUBSCRIPTION_FILTER)
