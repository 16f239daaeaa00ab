"""Checks of a source, and of the role that is to read it, when a mapping is created or updated."""

import logging

from lambent.aws.client import AwsClient, AwsUnreachable
from lambent.aws.errors import ClientError
from lambent.identity.execution_roles import ExecutionRoles
from lambent.model.function import FunctionVersion
from lambent.model.mapping import EventSourceMapping
from lambent.polling.drivers import load_driver

logger = logging.getLogger(__name__)


class SourceChecks:
    """Checks sources. A source that does not respond now passes: its poller shows the problem and
    keeps trying."""

    def __init__(self, aws: AwsClient, roles: ExecutionRoles) -> None:
        self._aws = aws
        self._roles = roles

    async def check(self, mapping: EventSourceMapping, function: FunctionVersion) -> None:
        """Raise `InvalidParameterValueException` if the source does not exist, the function cannot
        use it, or the function's role may not read it or the secrets of its credentials."""
        kind, source_id = mapping.kind, mapping.source_id
        calls = [(action, source_id, kind.service) for action in kind.actions]
        calls += [
            ("secretsmanager:GetSecretValue", access.uri, "Secrets Manager")
            for access in mapping.options.access
            if access.uri.startswith("arn:")
        ]
        for action, resource, service in calls:
            await self._roles.require_call(function.key, function.role, action, resource, service)
        driver = await load_driver(kind)
        if driver.check is None:
            return
        try:
            await driver.check(self._aws, mapping, function)
        except (AwsUnreachable, ClientError) as error:
            logger.info("cannot check %s: %s", source_id, error)
