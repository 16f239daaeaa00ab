"""Amazon CloudWatch Logs."""

from typing import Any

from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Find, Name, Part, Retag, Row, only, op


def _metric_filter(properties: Properties, _: Step) -> dict[str, Any]:
    """Dimensions are a list in templates, and a map in the API."""
    return {
        **properties,
        "MetricTransformations": [
            _transformation(each) for each in properties["MetricTransformations"]
        ],
    }


def _transformation(given: Properties) -> dict[str, Any]:
    dimensions = given.get("Dimensions")
    if not dimensions:
        return dict(given)
    return {**given, "Dimensions": {each["Key"]: each["Value"] for each in dimensions}}


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
            of=("DeletionProtectionEnabled",),
            on_create=False,
            put=only(
                "PutLogGroupDeletionProtection",
                logGroupIdentifier="{$id}",
                deletionProtectionEnabled="{DeletionProtectionEnabled}",
            ),
            remove=only(
                "PutLogGroupDeletionProtection",
                logGroupIdentifier="{$id}",
                deletionProtectionEnabled=False,
            ),
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
)

METRIC_FILTER = Row(
    name="AWS::Logs::MetricFilter",
    service="logs",
    named=Name("FilterName", 512, parent="LogGroupName"),
    create=op("PutMetricFilter"),
    physical="{FilterName}",
    keys={"logGroupName": "{LogGroupName}", "filterName": "{$id}"},
    find=Find(
        only(
            "DescribeMetricFilters",
            logGroupName="{LogGroupName}",
            filterNamePrefix="{FilterName}",
        ),
        "metricFilters",
        {"filterName": "{FilterName}"},
    ),
    is_idempotent=True,
    update=(op("PutMetricFilter"),),
    delete=only("DeleteMetricFilter"),
    prepare=_metric_filter,
    uses=frozenset({"MetricTransformations"}),
)

QUERY_DEFINITION = Row(
    name="AWS::Logs::QueryDefinition",
    service="logs",
    create=op("PutQueryDefinition", clientToken="AWS::Logs::QueryDefinition/create/token/{$token}"),
    physical="{.queryDefinitionId}",
    keys={"queryDefinitionId": "{$id}"},
    update=(op("PutQueryDefinition"),),
    delete=only("DeleteQueryDefinition"),
    created={"QueryDefinitionId": "{.queryDefinitionId}"},
    defaults={"LogGroupNames": []},
)

ROWS = (LOG_GROUP, LOG_STREAM, METRIC_FILTER, QUERY_DEFINITION, SUBSCRIPTION_FILTER)
