"""Checks of a source, and of the role that is to read it, when a mapping is created or updated."""

import logging

import botocore.exceptions

from lambent.aws.client import AwsClient, AwsUnreachable
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.mapping import EventSourceMapping
from lambent.polling.drivers import load_driver
from lambent.polling.role_client import Allow

logger = logging.getLogger(__name__)


class SourceChecks:
    """Checks sources. A source that does not respond now passes: its poller shows the problem and
    keeps trying. `allow` is None where every role may do everything."""

    def __init__(self, aws: AwsClient, allow: Allow | None) -> None:
        self._aws = aws
        self._allow = allow

    async def check(self, mapping: EventSourceMapping, function: FunctionVersion) -> None:
        """Raise `InvalidParameterValueException` if the source does not exist, the function cannot
        use it, or the function's role may not read it or the secrets of its credentials."""
        kind, source_id = mapping.kind, mapping.source_id
        for action in kind.actions:
            await self._require(function, action, source_id, kind.service)
        for access in mapping.options.access:
            if access.uri.startswith("arn:"):
                await self._require(
                    function, "secretsmanager:GetSecretValue", access.uri, "Secrets Manager"
                )
        driver = await load_driver(kind)
        if driver.check is None:
            return
        try:
            await driver.check(self._aws, mapping, function)
        except (AwsUnreachable, botocore.exceptions.ClientError) as error:
            logger.info("cannot look at %s: %s", source_id, error)

    async def _require(
        self, function: FunctionVersion, action: str, resource: str, service: str
    ) -> None:
        if self._allow is None:
            return
        try:
            await self._allow(function.key, function.role, action, resource)
        except ApiError as error:
            if error.status >= 500:
                raise
            raise invalid_parameter(
                "The provided execution role does not have permissions to call"
                f" {action.partition(':')[2]} on {service}"
            ) from error
