"""Amazon Lex V2: conversations."""

from lambent.control.lex.room import LexBots
from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.lexv2_runtime.operations import OPERATIONS
from lambent.gateway.services.lexv2_runtime.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)

LEXV2_RUNTIME: ServiceDefinition[LexBots] = ServiceDefinition(
    name="lexv2-runtime",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalServerException",
    unoffered_code="ValidationException",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Conversations in text: [bots](../lex.md). StartConversation and speech are not"
        " offered.",
    ),
)
