"""Amazon CloudWatch Logs."""

from lambent.stacks.resources.row_type import Find, Name, Part, Retag, Row, only, op

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
    ),
)

ROWS = (LOG_GROUP,)
