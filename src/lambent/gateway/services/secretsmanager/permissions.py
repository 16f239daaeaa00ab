"""What each operation on secrets needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAG_KEYS,
    TAGS,
    Difference,
    Needs,
    Resource,
    each,
)


async def _secret(asked: Asked) -> Sequence[Target]:
    """A secret with the ARN that it really has."""
    text, scope = asked.params["SecretId"], asked.scope
    known = await asked.lookups.secret_arn(scope, text)
    if known is None:
        name = text if text.startswith("arn:") else f"{_prefix(asked)}{text}-??????"
        return [Target(name, scope.account)]
    return [Target(known, scope.account)]


async def _new_secret(asked: Asked) -> Sequence[Target]:
    return [Target(f"{_prefix(asked)}{asked.params['Name']}-??????", asked.scope.account)]


def _prefix(asked: Asked) -> str:
    account, region = asked.scope
    return f"arn:aws:secretsmanager:{region}:{account}:secret:"


_TYPES = ("Secret",)
_SECRET = Resource(_TYPES, _secret)
_OF_SECRETS = (
    *("GetSecretValue", "PutSecretValue", "UpdateSecret", "DeleteSecret", "RestoreSecret"),
    *("DescribeSecret", "GetResourcePolicy"),
)

PERMISSIONS: Mapping[str, Needs] = {
    **each("secretsmanager", _OF_SECRETS, _SECRET),
    **each("secretsmanager", ("CreateSecret",), Resource(_TYPES, _new_secret), *TAGS),
    **each("secretsmanager", ("TagResource",), _SECRET, *TAGS),
    **each("secretsmanager", ("UntagResource",), _SECRET, TAG_KEYS),
    **each("secretsmanager", ("ListSecrets", "GetRandomPassword"), NOTHING),
}
_NOT_ASKED = "Policies here cannot ask for it."
DIFFERENCES = tuple(
    Difference(f"key secretsmanager:{key}", False, _NOT_ASKED)
    for key in (
        *("AddReplicaRegions", "Description", "ForceDeleteWithoutRecovery"),
        *("ForceOverwriteReplicaSecret", "KmsKeyArn", "KmsKeyId", "Name"),
        *("RecoveryWindowInDays", "SecretId", "SecretPrimaryRegion", "Type", "VersionId"),
        *("VersionStage", "resource/AllowRotationLambdaArn", "resource/Type"),
    )
)
RESOURCE_NAMES = (
    ("Secret", "`arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-RANDOM`, RANDOM of six letters"),
)
