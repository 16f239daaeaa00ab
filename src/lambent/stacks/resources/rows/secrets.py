"""Parameters of Systems Manager, secrets of Secrets Manager, and keys of KMS."""

from typing import Any

from lambent.kit.strict_json import parse_loosely
from lambent.model.errors import ApiError
from lambent.stacks.resources.conversion import as_text
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Call, Find, Name, Part, Retag, Row, only, op

PARAMETER = Row(
    name="AWS::SSM::Parameter",
    service="ssm",
    named=Name("Name", 1011),
    create=op("PutParameter"),
    physical="{Name}",
    keys={"Name": "{$id}"},
    read=only("GetParameter"),
    update=(op("PutParameter", Overwrite=True),),
    delete=only("DeleteParameter"),
    attributes={
        "Arn": "{.Parameter.ARN}",
        "Type": "{.Parameter.Type}",
        "Value": "{.Parameter.Value}",
    },
    tags="Tags",
    retag=Retag(
        "AddTagsToResource",
        "RemoveTagsFromResource",
        {"ResourceType": "Parameter", "ResourceId": "{$id}"},
    ),
    defaults={"Description": ""},
)

_TEMPLATE = ("GenerateStringKey", "SecretStringTemplate")


async def _generate(
    call: Call, properties: Properties, before: Properties | None
) -> dict[str, Any]:
    """A secret string that the service generates, unless it was generated before. Raises
    `ApiError`."""
    wanted = properties.get("GenerateSecretString")
    if wanted is None or (before or {}).get("GenerateSecretString") == wanted:
        return {}
    options = {name: _typed(value) for name, value in wanted.items() if name not in _TEMPLATE}
    password = (await call("secretsmanager", "GetRandomPassword", options))["RandomPassword"]
    if "GenerateStringKey" not in wanted:
        return {"SecretString": password}
    try:
        template = parse_loosely(as_text(wanted.get("SecretStringTemplate") or "{}"))
        return {"SecretString": as_text({**template, wanted["GenerateStringKey"]: password})}
    except (TypeError, ValueError):
        raise ApiError("ValidationError", "SecretStringTemplate must be a JSON object.") from None


def _typed(value: Any) -> Any:
    """Texts of numbers and booleans as such."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    return value


SECRET = Row(
    name="AWS::SecretsManager::Secret",
    service="secretsmanager",
    named=Name("Name", 512),
    create=op("CreateSecret"),
    physical="{.ARN}",
    find=Find(only("DescribeSecret", SecretId="{Name}")),
    keys={"SecretId": "{$id}"},
    read=only("DescribeSecret"),
    update=(op("UpdateSecret"),),
    delete=only("DeleteSecret", ForceDeleteWithoutRecovery=True),
    fetch=_generate,
    uses=frozenset({"GenerateSecretString"}),
    attributes={"Id": "{$id}"},
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {}),
    defaults={"Description": ""},
)

RESOURCE_POLICY = Row(
    name="AWS::SecretsManager::ResourcePolicy",
    service="secretsmanager",
    create=op("PutResourcePolicy"),
    physical="{SecretId}",
    keys={"SecretId": "{SecretId}"},
    update=(op("PutResourcePolicy"),),
    delete=only("DeleteResourcePolicy"),
    attributes={"Id": "{$id}"},
)


ROTATION = Row(
    name="AWS::SecretsManager::RotationSchedule",
    service="secretsmanager",
    renamed={"RotateImmediatelyOnUpdate": "RotateImmediately"},
    create=op("RotateSecret"),
    physical="{SecretId}",
    keys={"SecretId": "{SecretId}"},
    update=(op("RotateSecret"),),
    delete=only("CancelRotateSecret"),
    attributes={"Id": "{$id}"},
)


def _flags(properties: Properties, _step: Step) -> dict[str, Any]:
    """Flags that have operations of their own exist, or do not."""
    made = dict(properties)
    if str(made.pop("EnableKeyRotation", False)).lower() == "true":
        made["EnableKeyRotation"] = True
    if str(made.pop("Enabled", True)).lower() == "false":
        made["Enabled"] = False
    return made


KEY = Row(
    name="AWS::KMS::Key",
    service="kms",
    create=op("CreateKey", Policy="{KeyPolicy}"),
    physical="{.KeyMetadata.KeyId}",
    keys={"KeyId": "{$id}"},
    read=only("DescribeKey"),
    delete=only("ScheduleKeyDeletion", PendingWindowInDays="{PendingWindowInDays}"),
    prepare=_flags,
    uses=frozenset({"PendingWindowInDays"}),
    attributes={"Arn": "{.KeyMetadata.Arn}", "KeyId": "{.KeyMetadata.KeyId}"},
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"KeyId": "{$id}"}),
    parts=(
        Part(
            of=("EnableKeyRotation",),
            with_=("RotationPeriodInDays",),
            put=only("EnableKeyRotation", RotationPeriodInDays="{RotationPeriodInDays}"),
            remove=only("DisableKeyRotation"),
        ),
        Part(of=("Enabled",), put=only("DisableKey"), remove=only("EnableKey")),
        Part(
            of=("KeyPolicy",),
            on_create=False,
            put=only("PutKeyPolicy", PolicyName="default", Policy="{KeyPolicy}"),
        ),
        Part(
            of=("Description",),
            on_create=False,
            put=only("UpdateKeyDescription", Description="{Description}"),
            remove=only("UpdateKeyDescription", Description=""),
        ),
    ),
    note="After a stop of the platform it may be made twice.",
)

ALIAS = Row(
    name="AWS::KMS::Alias",
    service="kms",
    create=op("CreateAlias"),
    physical="{AliasName}",
    keys={"AliasName": "{$id}"},
    find=Find(only("ListAliases"), "Aliases", {"AliasName": "{AliasName}"}),
    update=(op("UpdateAlias"),),
    delete=only("DeleteAlias"),
)

ROWS = (PARAMETER, SECRET, RESOURCE_POLICY, ROTATION, KEY, ALIAS)
