"""Condition keys of Lambda's operations."""

from collections.abc import Mapping
from typing import Any

from lambent.gateway.permissions.asked import Asked
from lambent.gateway.permissions.needs import Key, Values, some
from lambent.gateway.services.lambda_.permissions.resources import (
    function_of,
    granted_auth_type,
    granted_principals,
    plain_arn,
    spellings,
)
from lambent.model.function import LATEST
from lambent.model.resources import parse_code_signing_arn


async def _function(asked: Asked) -> Values:
    if "FunctionName" not in asked.params:
        return {}
    return {"lambda:functionarn": [plain_arn(function_of(asked))]}


async def _mapped_function(asked: Asked) -> Values:
    arn = await asked.lookups.function_of_mapping(asked.scope, asked.params["UUID"])
    return {} if arn is None else {"lambda:functionarn": [arn.removesuffix(f":{LATEST}")]}


async def _url_auth_type(asked: Asked) -> Values:
    """The new type if the request has one, else the current one."""
    value = asked.params.get("AuthType") or await asked.lookups.url_auth_type(function_of(asked))
    return {} if value is None else {"lambda:functionurlauthtype": [value]}


async def _granted_auth_type(asked: Asked) -> Values:
    value = asked.params.get("FunctionUrlAuthType")
    return {} if value is None else {"lambda:functionurlauthtype": [value]}


async def _granted_principal(asked: Asked) -> Values:
    return {"lambda:principal": spellings(asked.params["Principal"])}


async def _revoked_principal(asked: Asked) -> Values:
    statement = await _revoked(asked)
    names = granted_principals(statement) if statement else ()
    return some("lambda:principal", [spelling for name in names for spelling in spellings(name)])


async def _revoked_auth_type(asked: Asked) -> Values:
    value = granted_auth_type(await _revoked(asked))
    return {} if value is None else {"lambda:functionurlauthtype": [value]}


async def _revoked(asked: Asked) -> Mapping[str, Any]:
    """The statement that RemovePermission removes, empty if there is none."""
    statements = await asked.lookups.statements(function_of(asked))
    wanted = asked.params["StatementId"]
    return next((statement for statement in statements if statement.get("Sid") == wanted), {})


async def _with_the_resource(asked: Asked) -> Values:
    """`resources.GRANTED` and `REVOKED` have the values, for each grant its own."""
    return {}


async def _layers(asked: Asked) -> Values:
    return some("lambda:layer", asked.params.get("Layers"))


async def _subnets(asked: Asked) -> Values:
    return some("lambda:subnetids", (asked.params.get("VpcConfig") or {}).get("SubnetIds"))


async def _security_groups(asked: Asked) -> Values:
    found = (asked.params.get("VpcConfig") or {}).get("SecurityGroupIds")
    return some("lambda:securitygroupids", found)


async def _code_signing(asked: Asked) -> Values:
    key = parse_code_signing_arn(asked.params.get("CodeSigningConfigArn") or "")
    return {} if key is None else {"lambda:codesigningconfigarn": [key.arn]}


async def _passed_to(asked: Asked) -> Values:
    return {"iam:passedtoservice": ["lambda.amazonaws.com"]}


async def _associated(asked: Asked) -> Values:
    return {"iam:associatedresourcearn": [function_of(asked).key.arn]}


FUNCTION_ARN = Key("lambda:FunctionArn", _function)
MAPPED_FUNCTION = Key("lambda:FunctionArn", _mapped_function)
URL_AUTH_TYPE = Key("lambda:FunctionUrlAuthType", _url_auth_type)
GRANTED = (
    Key("lambda:Principal", _granted_principal),
    Key("lambda:FunctionUrlAuthType", _granted_auth_type),
)
REVOKED = (
    Key("lambda:Principal", _revoked_principal),
    Key("lambda:FunctionUrlAuthType", _revoked_auth_type),
)
PRINCIPAL = Key("lambda:Principal", _with_the_resource)
AUTH_TYPE = Key("lambda:FunctionUrlAuthType", _with_the_resource)
CODE_SIGNING = Key("lambda:CodeSigningConfigArn", _code_signing)
CONFIGURED = (
    Key("lambda:Layer", _layers),
    Key("lambda:SubnetIds", _subnets),
    Key("lambda:SecurityGroupIds", _security_groups),
)
PASSED = (Key("iam:PassedToService", _passed_to), Key("iam:AssociatedResourceArn", _associated))
