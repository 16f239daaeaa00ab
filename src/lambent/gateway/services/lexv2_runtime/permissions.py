"""What each operation of conversations needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.control.lex.naming import alias_arn
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import Difference, Needs, Resource, each
from lambent.gateway.services.lexv2_runtime.operations import OPERATIONS


async def _alias(asked: Asked) -> Sequence[Target]:
    arn = alias_arn(asked.scope, asked.params["botId"], asked.params["botAliasId"])
    return [Target(arn, asked.scope.account)]


PERMISSIONS: Mapping[str, Needs] = each("lex", tuple(OPERATIONS), Resource(("bot alias",), _alias))
DIFFERENCES: tuple[Difference, ...] = ()
RESOURCE_NAMES = (("bot alias", "`arn:aws:lex:REGION:ACCOUNT:bot-alias/BOT/ALIAS`"),)
