"""Amazon Lex V2: bots with their locales, versions and aliases.

A template has a bot as a tree of locales, intents, slots and slot types, in the words of Lex's
exports. The API makes each of them by an operation of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit.computing import computed
from lambent.model.errors import ApiError
from lambent.model.lex.exported import STRATEGIES, ExportInvalid, read_export
from lambent.model.stack_documents import TOKEN_TAG
from lambent.stacks.resources.bodies import fetch_object
from lambent.stacks.resources.conversion import convert, invalid
from lambent.stacks.resources.facts import input_of
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import (
    Call,
    Find,
    Name,
    Part,
    Retag,
    Row,
    Several,
    only,
    op,
)
from lambent.stacks.resources.stability import is_gone

_SERVICE = "lexv2-models"
_DRAFT = "DRAFT"
_RENAMED = {
    "DTMFSpecification": "dtmfSpecification",
    "IsActive": "active",
    "LambdaArn": "lambdaARN",
    "MessageGroupsList": "messageGroups",
    "SSMLMessage": "ssmlMessage",
}
"""Members of templates whose names in the API differ by more than the first letter's case."""
_MAPS = {
    "BotAliasLocaleSettings": ("LocaleId", "BotAliasLocaleSetting"),
    "BotVersionLocaleSpecification": ("LocaleId", "BotVersionLocaleDetails"),
    "SessionAttributes": ("Key", "Value"),
    "Slots": ("SlotName", "SlotValueOverride"),
}
"""Lists of templates that are maps in the API: the members of an item with the key and value."""
_LOCALE = {"NluConfidenceThreshold": "nluIntentConfidenceThreshold"}


def _in_api_words(value: Any) -> Any:
    """A value of a template with the names that the API has."""
    if isinstance(value, list):
        return [_in_api_words(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    made = {}
    for name, inner in value.items():
        if name in _MAPS and isinstance(inner, list):
            key, of_item = _MAPS[name]
            made[name] = {str(each[key]): _in_api_words(each[of_item]) for each in inner}
        else:
            made[_RENAMED.get(name, name)] = _in_api_words(inner)
    return made


def _document(operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a bot as the input of the operation that makes it. Raises `ApiError`."""
    made: dict[str, Any] = convert(given, input_of(_SERVICE, operation), operation[6:])
    return made


def _part(given: Mapping[str, Any], noun: str, *but: str) -> dict[str, Any]:
    """A part of a template in the API's words, with its name."""
    outside = {"Name", "DisplayName", *but}
    made = {name: value for name, value in given.items() if name not in outside}
    named = {f"{noun}Name": given["Name"]}
    if given.get("DisplayName") is not None:
        named[f"{noun}DisplayName"] = given["DisplayName"]
    return {**_in_api_words(made), **named}


def _locale(given: Properties) -> dict[str, Any]:
    """A locale of a template, in the form in which exports are read."""
    inside = {"Intents", "SlotTypes", "LocaleId"}
    settings = {_LOCALE.get(name, name): v for name, v in given.items() if name not in inside}
    intents = {}
    for intent in given.get("Intents") or ():
        slots = {
            slot["Name"]: {
                **_part(slot, "slot", "SlotTypeName"),
                "slotTypeName": slot.get("SlotTypeName"),
            }
            for slot in intent.get("Slots") or ()
        }
        priorities = [
            {"priority": each["Priority"], "slotName": each["SlotName"]}
            for each in intent.get("SlotPriorities") or ()
        ]
        document = _part(intent, "intent", "Slots", "SlotPriorities")
        intents[intent["Name"]] = {**document, "slots": slots, "slotPriorities": priorities}
    types = {each["Name"]: _slot_type(each) for each in given.get("SlotTypes") or ()}
    return {**_in_api_words(settings), "intents": intents, "slotTypes": types}


def _slot_type(given: Properties) -> dict[str, Any]:
    setting = dict(given.get("ValueSelectionSetting") or {})
    strategy = str(setting.get("ResolutionStrategy"))
    if strategy in STRATEGIES:
        setting["ResolutionStrategy"] = STRATEGIES[strategy]
    return _part({**given, "ValueSelectionSetting": setting or None}, "slotType")


def _check(properties: Properties) -> None:
    if properties.get("BotLocales") and properties.get("BotFileS3Location"):
        message = "A bot has BotLocales or BotFileS3Location, not both."
        raise ApiError("ValidationError", message)


async def _put_locale(call: Call, bot: str, properties: Properties, item: Any) -> None:
    _check(properties)
    try:
        locale, id = _locale(item), str(item["LocaleId"])
    except (AttributeError, KeyError, TypeError):
        message = "BotLocales has values of another form than its schema says."
        raise ApiError("ValidationError", message) from None
    await _make_locale(call, bot, id, locale)
    if str(properties.get("AutoBuildBotLocales")).lower() == "true":
        await _build(call, bot, id)


async def _put_file(call: Call, bot: str, properties: Properties, _: Any) -> None:
    """The locales of an export in S3, and no others."""
    _check(properties)
    given = properties["BotFileS3Location"]
    location = {"Bucket": given.get("S3Bucket"), "Key": given.get("S3ObjectKey")}
    location["Version"] = given.get("S3ObjectVersion")
    try:
        exported = await computed(read_export, await fetch_object(call, location))
    except ExportInvalid as error:
        raise ApiError("ValidationError", f"BotFileS3Location: {error}.") from None
    await _remove_file(call, bot, properties, None)
    for id, locale in exported.locales.items():
        await _make_locale(call, bot, id, locale)
        if str(properties.get("AutoBuildBotLocales")).lower() == "true":
            await _build(call, bot, id)


async def _remove_file(call: Call, bot: str, _properties: Properties, _: Any) -> None:
    about = {"botId": bot, "botVersion": _DRAFT}
    for each in (await call(_SERVICE, "ListBotLocales", about))["botLocaleSummaries"]:
        await _delete_locale(call, {**about, "localeId": each["localeId"]})


async def _delete_locale(call: Call, place: Mapping[str, Any]) -> None:
    try:
        await call(_SERVICE, "DeleteBotLocale", place)
    except ApiError as error:
        if not is_gone(error):
            raise


async def _make_locale(call: Call, bot: str, id: str, locale: Mapping[str, Any]) -> None:
    """Make a locale from nothing, with all that belongs to it. Raises `ApiError`."""
    place = {"botId": bot, "botVersion": _DRAFT, "localeId": id}

    async def make(operation: str, given: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
        document = {**_document(operation, given), **place, **more}
        return await call(_SERVICE, operation, document)

    await _delete_locale(call, place)
    inside = {"intents", "slotTypes"}
    await make("CreateBotLocale", {name: v for name, v in locale.items() if name not in inside})
    types: dict[str, str] = {}
    for slot_type in locale["slotTypes"].values():
        made = await make("CreateSlotType", slot_type)
        types[made["slotTypeName"]] = made["slotTypeId"]
    for each in locale["intents"].values():
        intent = {n: v for n, v in each.items() if n not in ("slots", "slotPriorities")}
        made = await make("CreateIntent", intent)
        about = {"intentId": made["intentId"]}
        slots: dict[str, str] = {}
        for slot in each["slots"].values():
            document = dict(slot)
            name = str(document.pop("slotTypeName", None))
            created = await make("CreateSlot", document, **about, slotTypeId=types.get(name, name))
            slots[created["slotName"]] = created["slotId"]
        priorities = _priorities(each.get("slotPriorities") or (), slots)
        if priorities:
            document = {**_document("CreateIntent", intent), **place, **about}
            await call(_SERVICE, "UpdateIntent", {**document, "slotPriorities": priorities})


def _priorities(given: Sequence[Any], slots: Mapping[str, str]) -> list[dict[str, Any]]:
    made = []
    for each in given:
        if each["slotName"] not in slots:
            message = f"SlotPriorities: the intent has no slot {each['slotName']}."
            raise ApiError("ValidationError", message)
        try:
            made.append({"priority": int(each["priority"]), "slotId": slots[each["slotName"]]})
        except (TypeError, ValueError):
            raise invalid("SlotPriorities/Priority", "an Integer") from None
    return made


async def _build(call: Call, bot: str, id: str) -> None:
    place = {"botId": bot, "botVersion": _DRAFT, "localeId": id}
    built = await call(_SERVICE, "BuildBotLocale", place)
    if built["botLocaleStatus"] == "Failed":
        found = await call(_SERVICE, "DescribeBotLocale", place)
        reasons = "; ".join(found.get("failureReasons") or ())
        raise ApiError("ValidationError", f"The locale {id} cannot be built: {reasons}")


def _in_words(properties: Properties, _: Step) -> dict[str, Any]:
    made: dict[str, Any] = _in_api_words(properties)
    return made


def _prepare(properties: Properties, _: Step) -> dict[str, Any]:
    made = dict(properties)
    if made.get("TestBotAliasSettings") is not None:
        made["TestBotAliasSettings"] = _in_api_words(made["TestBotAliasSettings"])
    return made


BOT = Row(
    name="AWS::Lex::Bot",
    service=_SERVICE,
    named=Name("Name", 100),
    renamed={"Name": "botName"},
    create=op("CreateBot"),
    physical="{.botId}",
    find=Find(only("ListBots"), "botSummaries", {"botName": "{Name}"}),
    keys={"botId": "{$id}"},
    read=only("DescribeBot"),
    update=(op("UpdateBot"),),
    delete=only("DeleteBot", skipResourceInUseCheck=True),
    attributes={"Id": "{.botId}", "Arn": "arn:aws:lex:{$region}:{$account}:bot/{.botId}"},
    tags="botTags",
    tags_property="BotTags",
    retag=Retag("TagResource", "UntagResource", {"resourceARN": "{@Arn}"}),
    prepare=_prepare,
    parts=(
        Part(
            of=("BotFileS3Location",),
            with_=("AutoBuildBotLocales",),
            put=Several(_put_file, ()),
            remove=Several(_remove_file, ()),
        ),
        Part(
            of=("BotLocales",),
            with_=("AutoBuildBotLocales",),
            is_each=True,
            key="LocaleId",
            put=Several(
                _put_locale,
                ("CreateBotLocale", "CreateSlotType", "CreateIntent", "CreateSlot"),
            ),
            remove=only("DeleteBotLocale", botVersion=_DRAFT, localeId="{*.LocaleId}"),
        ),
        Part(
            of=("TestBotAliasSettings",),
            put=only(
                "UpdateBotAlias",
                "{TestBotAliasSettings}",
                botAliasId="TSTALIASID",
                botAliasName="TestBotAlias",
            ),
            remove=only("UpdateBotAlias", botAliasId="TSTALIASID", botAliasName="TestBotAlias"),
        ),
    ),
    note="A locale that changes is deleted and made again.",
)

VERSION = Row(
    name="AWS::Lex::BotVersion",
    service=_SERVICE,
    create=op("CreateBotVersion"),
    physical="{.botVersion}",
    ref="{.botId}|{.botVersion}",
    find=Find(
        only("ListBotVersions", botId="{BotId}"), "botVersionSummaries", {TOKEN_TAG: "{$token}"}
    ),
    keys={"botId": "{BotId}", "botVersion": "{$id}"},
    read=only("DescribeBotVersion"),
    delete=only("DeleteBotVersion", skipResourceInUseCheck=True),
    attributes={"BotVersion": "{.botVersion}"},
    prepare=_in_words,
    note="A change publishes another version.",
)

ALIAS = Row(
    name="AWS::Lex::BotAlias",
    service=_SERVICE,
    create=op("CreateBotAlias"),
    named=Name("BotAliasName", 100, parent="BotId"),
    physical="{.botAliasId}|{.botId}",
    find=Find(
        only("ListBotAliases", botId="{BotId}"),
        "botAliasSummaries",
        {"botAliasName": "{BotAliasName}"},
        "{.botAliasId}|{BotId}",
    ),
    keys={"botId": "{BotId}", "botAliasId": "{$id.0}"},
    read=only("DescribeBotAlias"),
    update=(op("UpdateBotAlias"),),
    delete=only("DeleteBotAlias", skipResourceInUseCheck=True),
    attributes={
        "Arn": "arn:aws:lex:{$region}:{$account}:bot-alias/{.botId}/{.botAliasId}",
        "BotAliasId": "{.botAliasId}",
        "BotAliasStatus": "{.botAliasStatus}",
    },
    tags="tags",
    tags_property="BotAliasTags",
    retag=Retag("TagResource", "UntagResource", {"resourceARN": "{@Arn}"}),
    prepare=_in_words,
)

ROWS = (BOT, VERSION, ALIAS)
