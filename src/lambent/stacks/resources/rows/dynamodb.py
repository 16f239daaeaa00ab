"""Amazon DynamoDB."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.model.errors import ApiError
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Name, Part, Retag, Row, Wait, only, op

_OF_REPLICAS = frozenset(
    {
        *("DeletionProtectionEnabled", "KinesisStreamSpecification"),
        *("PointInTimeRecoverySpecification", "Region", "TableClass", "Tags"),
    }
)


def _prepare(properties: Properties, _step: Step) -> dict[str, Any]:
    """Specifications as the API has them."""
    made = dict(properties)
    stream = properties.get("StreamSpecification")
    if stream is not None:
        made["StreamSpecification"] = {"StreamEnabled": True, **stream}
    encryption = properties.get("SSESpecification")
    if encryption is not None:
        renamed = {"SSEEnabled": "Enabled"}
        made["SSESpecification"] = {
            renamed.get(name, name): value for name, value in encryption.items()
        }
    return made


def _units(settings: Any, kind: str) -> Any:
    """The capacity of a table in provisioned mode: the least of its range."""
    if not isinstance(settings, Mapping):
        return None
    scaling = settings.get(f"{kind}CapacityAutoScalingSettings") or {}
    return settings.get(f"{kind}CapacityUnits", scaling.get("MinCapacity"))


def _of_one_region(properties: Properties, step: Step) -> dict[str, Any]:
    """A global table is a table here: what its only replica has is the table's. Raises
    `ApiError`."""
    made = dict(properties)
    replicas = made.pop("Replicas", None) or []
    region = step.caller.scope.region
    if [replica.get("Region") for replica in replicas] != [region]:
        raise ApiError(
            "ValidationError",
            f"Lambent has one region: Replicas must be one replica, in {region}.",
        )
    unknown = sorted(set(replicas[0]) - _OF_REPLICAS)
    if unknown:
        raise ApiError("ValidationError", f"Lambent does not offer Replicas/{unknown[0]}.")
    made |= {name: value for name, value in replicas[0].items() if name != "Region"}
    read = _units(made.pop("ReadProvisionedThroughputSettings", None), "Read")
    write = _units(made.pop("WriteProvisionedThroughputSettings", None), "Write")
    if write is not None:
        units = {"ReadCapacityUnits": read or write, "WriteCapacityUnits": write}
        made["ProvisionedThroughput"] = units
    return _prepare(made, step)


def _settings(*names: str) -> Part:
    """Properties that are changed together; CreateTable sets them."""
    return Part(
        of=names,
        on_create=False,
        put=only("UpdateTable", **{name: f"{{{name}}}" for name in names}),
    )


TABLE = Row(
    name="AWS::DynamoDB::Table",
    service="dynamodb",
    named=Name("TableName", 255),
    create=op("CreateTable"),
    physical="{TableName}",
    keys={"TableName": "{$id}"},
    read=only("DescribeTable"),
    delete=only("DeleteTable"),
    waits_gone=True,
    wait=Wait({"Table.TableStatus": ("ACTIVE",)}),
    prepare=_prepare,
    uses=frozenset({"AttributeDefinitions"}),
    attributes={"Arn": "{.Table.TableArn}", "StreamArn": "{.Table.LatestStreamArn}"},
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"ResourceArn": "{@Arn}"}),
    parts=(
        _settings("BillingMode", "ProvisionedThroughput"),
        _settings("DeletionProtectionEnabled"),
        _settings("TableClass"),
        Part(
            of=("StreamSpecification",),
            on_create=False,
            put=only("UpdateTable", StreamSpecification="{StreamSpecification}"),
            remove=only("UpdateTable", StreamSpecification={"StreamEnabled": False}),
        ),
        Part(
            of=("SSESpecification",),
            on_create=False,
            put=only("UpdateTable", SSESpecification="{SSESpecification}"),
            remove=only("UpdateTable", SSESpecification={"Enabled": False}),
        ),
        Part(
            of=("GlobalSecondaryIndexes",),
            is_each=True,
            on_create=False,
            put=only(
                "UpdateTable",
                AttributeDefinitions="{AttributeDefinitions}",
                GlobalSecondaryIndexUpdates=[{"Create": "{*}"}],
            ),
            remove=only(
                "UpdateTable",
                GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "{*.IndexName}"}}],
            ),
        ),
        Part(
            of=("TimeToLiveSpecification",),
            put=only("UpdateTimeToLive", TimeToLiveSpecification="{TimeToLiveSpecification}"),
        ),
        Part(
            of=("PointInTimeRecoverySpecification",),
            put=only(
                "UpdateContinuousBackups",
                PointInTimeRecoverySpecification="{PointInTimeRecoverySpecification}",
            ),
            remove=only(
                "UpdateContinuousBackups",
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
            ),
        ),
        Part(
            of=("KinesisStreamSpecification",),
            put=only(
                "EnableKinesisStreamingDestination",
                StreamArn="{KinesisStreamSpecification.StreamArn}",
            ),
            remove=only(
                "DisableKinesisStreamingDestination",
                StreamArn="{KinesisStreamSpecification.StreamArn}",
            ),
        ),
    ),
    note="An index that changes is deleted and made again.",
)

GLOBAL_TABLE = dataclasses.replace(
    TABLE,
    name="AWS::DynamoDB::GlobalTable",
    prepare=_of_one_region,
    attributes={**TABLE.attributes, "TableId": "{.Table.TableId}"},
    uses=TABLE.uses
    | {
        "ReadProvisionedThroughputSettings",
        "Replicas",
        "WriteProvisionedThroughputSettings",
    },
    tags_property="Tags",
    note="A table of one region. Capacity that scales is the least of its range.",
)

ROWS = (TABLE, GLOBAL_TABLE)
