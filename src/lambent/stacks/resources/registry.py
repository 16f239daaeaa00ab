"""All types of resources that stacks can have."""

from collections.abc import Mapping

from lambent.kit.clock import Clock
from lambent.stacks.ports import AwsApi
from lambent.stacks.resources.driver import Driver
from lambent.stacks.resources.row_type import Row
from lambent.stacks.resources.rows import (
    apigateway,
    apigatewayv2,
    cloudfront,
    cloudwatch,
    cognito,
    dynamodb,
    ecr,
    events,
    functions,
    iam,
    kinesis,
    lambda_,
    lex,
    logs,
    s3,
    secrets,
    sns,
    sqs,
    states,
    stored,
    xray,
)
from lambent.stacks.resources.stability import Stability

_MODULES = (
    *(apigateway, apigatewayv2, cloudfront, cloudwatch, cognito, dynamodb, ecr, events, functions),
    *(iam, kinesis, lambda_, lex, logs, s3, secrets, sns, sqs, states, stored, xray),
)

ROWS: Mapping[str, Row] = {row.name: row for module in _MODULES for row in module.ROWS}
"""By name."""

STORED_ONLY = frozenset(name for name, row in ROWS.items() if row.is_stored)
"""Names of types that a stack may have and that do nothing."""

OFFERED = frozenset(ROWS)
"""Names of all types. Those of CloudFormation itself and of custom resources are the engine's."""


class ResourceTypes:
    """The types, each of which calls AWS's APIs through the port."""

    def __init__(self, api: AwsApi, clock: Clock) -> None:
        stability = Stability(clock)
        self._types: Mapping[str, Driver] = {
            name: Driver(row, api, stability) for name, row in ROWS.items()
        }

    def find_type(self, name: str) -> Driver | None:
        """The type with this name; None if it is not offered."""
        return self._types.get(name)
