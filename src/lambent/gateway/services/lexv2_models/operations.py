"""Operations that build bots."""

from collections.abc import Awaitable, Callable, Mapping

from lambent.control.lex.room import LexBots
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.model.arn import Scope
from lambent.model.stack_documents import TOKEN_TAG

UseCase = Callable[[Scope, Members], Awaitable[Members]]
_Op = Operation[LexBots]


def _of(choose: Callable[[LexBots], UseCase]) -> _Op:
    async def operation(rooms: LexBots, call: Call) -> Members:
        return await choose(rooms)(call.scope, call.params)

    return operation


async def _create_bot_version(rooms: LexBots, call: Call) -> Members:
    params = {**call.params, TOKEN_TAG: call.caller.token}
    return await rooms.bots.create_version(call.scope, params)


async def _create_upload_url(rooms: LexBots, call: Call) -> Members:
    return await rooms.transfers.create_upload_url(call.scope, call.params, call.endpoint)


async def _describe_export(rooms: LexBots, call: Call) -> Members:
    return await rooms.transfers.describe_export(call.scope, call.params, call.endpoint)


OPERATIONS: Mapping[str, _Op] = {
    "CreateBot": _of(lambda rooms: rooms.bots.create),
    "UpdateBot": _of(lambda rooms: rooms.bots.update),
    "DescribeBot": _of(lambda rooms: rooms.bots.describe),
    "ListBots": _of(lambda rooms: rooms.bots.list),
    "DeleteBot": _of(lambda rooms: rooms.bots.delete),
    "CreateBotVersion": _create_bot_version,
    "DescribeBotVersion": _of(lambda rooms: rooms.bots.describe_version),
    "ListBotVersions": _of(lambda rooms: rooms.bots.list_versions),
    "DeleteBotVersion": _of(lambda rooms: rooms.bots.delete_version),
    "TagResource": _of(lambda rooms: rooms.bots.tag),
    "UntagResource": _of(lambda rooms: rooms.bots.tag),
    "ListTagsForResource": _of(lambda rooms: rooms.bots.tags),
    "CreateBotAlias": _of(lambda rooms: rooms.aliases.create),
    "UpdateBotAlias": _of(lambda rooms: rooms.aliases.update),
    "DescribeBotAlias": _of(lambda rooms: rooms.aliases.describe),
    "ListBotAliases": _of(lambda rooms: rooms.aliases.list),
    "DeleteBotAlias": _of(lambda rooms: rooms.aliases.delete),
    "CreateBotLocale": _of(lambda rooms: rooms.locales.create),
    "UpdateBotLocale": _of(lambda rooms: rooms.locales.update),
    "DescribeBotLocale": _of(lambda rooms: rooms.locales.describe),
    "ListBotLocales": _of(lambda rooms: rooms.locales.list),
    "DeleteBotLocale": _of(lambda rooms: rooms.locales.delete),
    "BuildBotLocale": _of(lambda rooms: rooms.locales.build),
    "CreateIntent": _of(lambda rooms: rooms.parts.create_intent),
    "UpdateIntent": _of(lambda rooms: rooms.parts.update_intent),
    "DescribeIntent": _of(lambda rooms: rooms.parts.describe_intent),
    "ListIntents": _of(lambda rooms: rooms.parts.list_intents),
    "DeleteIntent": _of(lambda rooms: rooms.parts.delete_intent),
    "CreateSlot": _of(lambda rooms: rooms.parts.create_slot),
    "UpdateSlot": _of(lambda rooms: rooms.parts.update_slot),
    "DescribeSlot": _of(lambda rooms: rooms.parts.describe_slot),
    "ListSlots": _of(lambda rooms: rooms.parts.list_slots),
    "DeleteSlot": _of(lambda rooms: rooms.parts.delete_slot),
    "CreateSlotType": _of(lambda rooms: rooms.parts.create_slot_type),
    "UpdateSlotType": _of(lambda rooms: rooms.parts.update_slot_type),
    "DescribeSlotType": _of(lambda rooms: rooms.parts.describe_slot_type),
    "ListSlotTypes": _of(lambda rooms: rooms.parts.list_slot_types),
    "DeleteSlotType": _of(lambda rooms: rooms.parts.delete_slot_type),
    "CreateUploadUrl": _create_upload_url,
    "StartImport": _of(lambda rooms: rooms.transfers.start_import),
    "DescribeImport": _of(lambda rooms: rooms.transfers.describe_import),
    "ListImports": _of(lambda rooms: rooms.transfers.list_imports),
    "DeleteImport": _of(lambda rooms: rooms.transfers.delete_import),
    "CreateExport": _of(lambda rooms: rooms.transfers.create_export),
    "DescribeExport": _describe_export,
    "ListExports": _of(lambda rooms: rooms.transfers.list_exports),
    "DeleteExport": _of(lambda rooms: rooms.transfers.delete_export),
}
