"""AWS Lambda: all but functions."""

from typing import Any

from lambent.model.stack_documents import TOKEN_TAG
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import (
    Existing,
    Find,
    Name,
    Part,
    Retag,
    Row,
    Wait,
    only,
    op,
)

_ENDPOINTS = {"KafkaBootstrapServers": "KAFKA_BOOTSTRAP_SERVERS"}


def _weights(properties: Properties, _step: Step) -> dict[str, Any]:
    """The list of versions and weights becomes a map."""
    made = dict(properties)
    routing = properties.get("RoutingConfig") or {}
    listed = routing.get("AdditionalVersionWeights")
    if isinstance(listed, list):
        weights = {each["FunctionVersion"]: each["FunctionWeight"] for each in listed}
        made["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    return made


def _endpoints(properties: Properties, _step: Step) -> dict[str, Any]:
    """The map of endpoints has other keys in the API."""
    made = dict(properties)
    source = properties.get("SelfManagedEventSource")
    if source is not None:
        endpoints = source.get("Endpoints") or {}
        named = {_ENDPOINTS.get(name, name): value for name, value in endpoints.items()}
        made["SelfManagedEventSource"] = {"Endpoints": named}
    return made


def _provisioned(qualifier: str) -> Part:
    return Part(
        of=("ProvisionedConcurrencyConfig",),
        put=only(
            "PutProvisionedConcurrencyConfig",
            "{ProvisionedConcurrencyConfig}",
            Qualifier=qualifier,
        ),
        remove=only("DeleteProvisionedConcurrencyConfig", Qualifier=qualifier),
    )


VERSION = Row(
    name="AWS::Lambda::Version",
    service="lambda",
    create=op("PublishVersion"),
    physical="{.FunctionArn}",
    existing=Existing(
        only("ListVersionsByFunction", FunctionName="{FunctionName}"),
        "Versions",
        "FunctionArn",
        "A version for this Lambda function exists ( {.Version} ). Modify the function to create a"
        " new version.",
    ),
    keys={"FunctionName": "{$id}"},
    read=only("GetFunction"),
    delete=only("DeleteFunction"),
    attributes={
        "Version": "{.Configuration.Version}",
        "FunctionArn": "{.Configuration.FunctionArn}",
    },
    parts=(
        Part(
            of=("ProvisionedConcurrencyConfig",),
            put=only(
                "PutProvisionedConcurrencyConfig",
                "{ProvisionedConcurrencyConfig}",
                FunctionName="{FunctionName}",
                Qualifier="{$id:7}",
            ),
        ),
    ),
    wait=Wait(
        {"Configuration.State": ("Active", "Inactive")},
        failed=("Failed",),
        reason="Configuration.StateReason",
    ),
    note="Published when it is made. The code of a published version never changes.",
)

ALIAS = Row(
    name="AWS::Lambda::Alias",
    service="lambda",
    named=Name("Name", 128, parent="FunctionName"),
    create=op("CreateAlias"),
    physical="{.AliasArn}",
    find=Find(only("GetAlias")),
    keys={"FunctionName": "{FunctionName}", "Name": "{Name}"},
    read=only("GetAlias"),
    update=(op("UpdateAlias"),),
    delete=only("DeleteAlias"),
    prepare=_weights,
    attributes={"AliasArn": "{.AliasArn}"},
    parts=(_provisioned("{Name}"),),
    defaults={"Description": "", "RoutingConfig": {"AdditionalVersionWeights": {}}},
)

PERMISSION = Row(
    name="AWS::Lambda::Permission",
    service="lambda",
    create=op("AddPermission", StatementId="{$name}"),
    physical="{$name}",
    keys={"FunctionName": "{FunctionName}", "StatementId": "{$id}"},
    delete=only("RemovePermission"),
    attributes={"Id": "{$id}"},
)

URL = Row(
    name="AWS::Lambda::Url",
    service="lambda",
    renamed={"TargetFunctionArn": "FunctionName"},
    create=op("CreateFunctionUrlConfig"),
    physical="{.FunctionArn}",
    find=Find(only("GetFunctionUrlConfig")),
    keys={"FunctionName": "{TargetFunctionArn}", "Qualifier": "{Qualifier}"},
    read=only("GetFunctionUrlConfig"),
    update=(op("UpdateFunctionUrlConfig"),),
    delete=only("DeleteFunctionUrlConfig"),
    attributes={"FunctionUrl": "{.FunctionUrl}", "FunctionArn": "{.FunctionArn}"},
    defaults={"Cors": {}, "InvokeMode": "BUFFERED"},
)

EVENT_SOURCE_MAPPING = Row(
    name="AWS::Lambda::EventSourceMapping",
    service="lambda",
    renamed={"KmsKeyArn": "KMSKeyArn"},
    create=op("CreateEventSourceMapping"),
    physical="{.UUID}",
    find=Find(
        only(
            "ListEventSourceMappings",
            FunctionName="{FunctionName}",
            EventSourceArn="{EventSourceArn}",
        ),
        "EventSourceMappings",
    ),
    keys={"UUID": "{$id}"},
    read=only("GetEventSourceMapping"),
    update=(op("UpdateEventSourceMapping"),),
    delete=only("DeleteEventSourceMapping"),
    waits_gone=True,
    wait=Wait({"State": ("Enabled", "Disabled")}),
    prepare=_endpoints,
    attributes={"Id": "{.UUID}", "EventSourceMappingArn": "{.EventSourceMappingArn}"},
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"Resource": "{@EventSourceMappingArn}"}),
    defaults={
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "Enabled": True,
        "FilterCriteria": {"Filters": []},
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "ScalingConfig": {},
        "TumblingWindowInSeconds": 0,
    },
    replacing=frozenset({"Queues", "Topics"}),
)

EVENT_INVOKE_CONFIG = Row(
    name="AWS::Lambda::EventInvokeConfig",
    service="lambda",
    create=op("PutFunctionEventInvokeConfig"),
    physical="{FunctionName}|{Qualifier}",
    keys={"FunctionName": "{FunctionName}", "Qualifier": "{Qualifier}"},
    read=only("GetFunctionEventInvokeConfig"),
    update=(op("PutFunctionEventInvokeConfig"),),
    delete=only("DeleteFunctionEventInvokeConfig"),
)

LAYER_VERSION = Row(
    name="AWS::Lambda::LayerVersion",
    service="lambda",
    named=Name("LayerName", 64, is_shared=True),
    create=op("PublishLayerVersion"),
    physical="{.LayerVersionArn}",
    find=Find(
        only("ListLayerVersions", LayerName="{LayerName}"), "LayerVersions", {TOKEN_TAG: "{$token}"}
    ),
    keys={"LayerName": "{$id:6}", "VersionNumber": "{$id:7}"},
    read=only("GetLayerVersion"),
    delete=only("DeleteLayerVersion"),
    attributes={"LayerVersionArn": "{.LayerVersionArn}"},
    note="A change publishes another version.",
)

LAYER_VERSION_PERMISSION = Row(
    name="AWS::Lambda::LayerVersionPermission",
    service="lambda",
    create=op(
        "AddLayerVersionPermission",
        LayerName="{LayerVersionArn:6}",
        VersionNumber="{LayerVersionArn:7}",
        StatementId="{$name}",
    ),
    physical="{$name}",
    keys={
        "LayerName": "{LayerVersionArn:6}",
        "VersionNumber": "{LayerVersionArn:7}",
        "StatementId": "{$id}",
    },
    delete=only("RemoveLayerVersionPermission"),
    attributes={"Id": "{$id}"},
)

CODE_SIGNING_CONFIG = Row(
    name="AWS::Lambda::CodeSigningConfig",
    service="lambda",
    create=op("CreateCodeSigningConfig"),
    physical="{.CodeSigningConfig.CodeSigningConfigArn}",
    keys={"CodeSigningConfigArn": "{$id}"},
    read=only("GetCodeSigningConfig"),
    update=(op("UpdateCodeSigningConfig"),),
    delete=only("DeleteCodeSigningConfig"),
    attributes={
        "CodeSigningConfigArn": "{$id}",
        "CodeSigningConfigId": "{.CodeSigningConfig.CodeSigningConfigId}",
    },
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"Resource": "{$id}"}),
    defaults={"Description": ""},
    note="After a stop of the platform it may be made twice.",
)

RESOURCE_POLICY = Row(
    name="AWS::Lambda::ResourcePolicy",
    service="lambda",
    create=only("PutResourcePolicy", ResourceArn="{ResourceArn}", Policy="{PolicyDocument}"),
    physical="{ResourceArn}",
    is_idempotent=True,
    keys={"ResourceArn": "{ResourceArn}"},
    read=only("GetResourcePolicy"),
    update=(only("PutResourcePolicy", Policy="{PolicyDocument}"),),
    delete=only("DeleteResourcePolicy"),
    note="The whole policy of a function; it does not go with `AWS::Lambda::Permission`.",
)

ROWS = (
    VERSION,
    ALIAS,
    PERMISSION,
    URL,
    EVENT_SOURCE_MAPPING,
    EVENT_INVOKE_CONFIG,
    LAYER_VERSION,
    LAYER_VERSION_PERMISSION,
    CODE_SIGNING_CONFIG,
    RESOURCE_POLICY,
)
