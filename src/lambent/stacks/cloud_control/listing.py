"""Which types can be listed, and by which operation of their service."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lambent.identity.authorizer import Caller
from lambent.model.errors import ApiError
from lambent.stacks.cloud_control.patching import invalid_request
from lambent.stacks.ports import AwsApi
from lambent.stacks.resources.expressions import at
from lambent.stacks.resources.row_type import Row


class Listing(NamedTuple):
    """An operation that lists resources of a type."""

    operation: str
    items: str
    identifier: str = ""
    """Path in an item; empty if the item is the identifier."""
    parent: tuple[str, str] | None = None
    """The property in ResourceModel that says of what resources are listed, and its member."""
    members: Mapping[str, Any] = {}
    """Further members of the input."""


_FUNCTION: Final = ("FunctionName", "FunctionName")
LISTINGS: Final[Mapping[str, Listing]] = {
    "AWS::ApiGateway::RestApi": Listing("GetRestApis", "items", "id"),
    "AWS::ApiGatewayV2::Api": Listing("GetApis", "Items", "ApiId"),
    "AWS::DynamoDB::Table": Listing("ListTables", "TableNames"),
    "AWS::ECR::Repository": Listing("DescribeRepositories", "repositories", "repositoryName"),
    "AWS::Events::EventBus": Listing("ListEventBuses", "EventBuses", "Name"),
    "AWS::Events::Rule": Listing("ListRules", "Rules", "Arn"),
    "AWS::IAM::Group": Listing("ListGroups", "Groups", "GroupName"),
    "AWS::IAM::ManagedPolicy": Listing("ListPolicies", "Policies", "Arn", None, {"Scope": "Local"}),
    "AWS::IAM::Role": Listing("ListRoles", "Roles", "RoleName"),
    "AWS::IAM::User": Listing("ListUsers", "Users", "UserName"),
    "AWS::Kinesis::Stream": Listing("ListStreams", "StreamNames"),
    "AWS::Lambda::Alias": Listing("ListAliases", "Aliases", "AliasArn", _FUNCTION),
    "AWS::Lambda::CodeSigningConfig": Listing(
        "ListCodeSigningConfigs", "CodeSigningConfigs", "CodeSigningConfigArn"
    ),
    "AWS::Lambda::EventSourceMapping": Listing(
        "ListEventSourceMappings", "EventSourceMappings", "UUID"
    ),
    "AWS::Lambda::Function": Listing("ListFunctions", "Functions", "FunctionName"),
    "AWS::Lambda::Url": Listing(
        "ListFunctionUrlConfigs",
        "FunctionUrlConfigs",
        "FunctionArn",
        ("TargetFunctionArn", "FunctionName"),
    ),
    "AWS::Lambda::Version": Listing("ListVersionsByFunction", "Versions", "FunctionArn", _FUNCTION),
    "AWS::Logs::LogGroup": Listing("DescribeLogGroups", "logGroups", "logGroupName"),
    "AWS::S3::Bucket": Listing("ListBuckets", "Buckets", "Name"),
    "AWS::SNS::Topic": Listing("ListTopics", "Topics", "TopicArn"),
    "AWS::SQS::Queue": Listing("ListQueues", "QueueUrls"),
    "AWS::SecretsManager::Secret": Listing("ListSecrets", "SecretList", "ARN"),
    "AWS::StepFunctions::Activity": Listing("ListActivities", "activities", "activityArn"),
    "AWS::StepFunctions::StateMachine": Listing(
        "ListStateMachines", "stateMachines", "stateMachineArn"
    ),
}
"""By type."""
_NEXT: Final = {
    "NextToken": "NextToken",
    "nextToken": "nextToken",
    "NextMarker": "Marker",
    "Marker": "Marker",
    "position": "position",
    "LastEvaluatedTableName": "ExclusiveStartTableName",
    "ContinuationToken": "ContinuationToken",
}
"""Members of a response that lead to its next page, and where the next request has them."""
_PAGES_MAX: Final = 1000


async def identifiers(api: AwsApi, row: Row, model: Mapping[str, Any], caller: Caller) -> list[str]:
    """Identifiers of all resources of a type. `model` says of what they are a part. Raises
    `UnsupportedActionException` for a type that cannot be listed, `InvalidRequestException` for a
    parent that is missing, and errors of the service."""
    listing = LISTINGS.get(row.name)
    if listing is None:
        message = f"Resource type {row.name} does not support LIST action."
        raise ApiError("UnsupportedActionException", message)
    params = dict(listing.members)
    if listing.parent is not None:
        name, member = listing.parent
        if not isinstance(model.get(name), str):
            raise invalid_request(f"ResourceModel must have {name} to list {row.name}.")
        params[member] = model[name]
    found: list[str] = []
    for _ in range(_PAGES_MAX):
        response = await api.call(row.service, listing.operation, params, caller)
        items = response.get(listing.items) or ()
        found.extend(str(at(item, listing.identifier)) for item in items)
        page = {to: response[name] for name, to in _NEXT.items() if response.get(name)}
        if not page:
            break
        params.update(page)
    return found
