"""Bots as ZIP files, as Lex exports them: read into the documents of the API, and written.

A file is hostile until it is read: sizes and depths are bounded before anything is parsed.
https://docs.aws.amazon.com/lexv2/latest/dg/import-export-format.html
"""

import dataclasses
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lambent.kit.strict_json import parse_plain

Params = Mapping[str, Any]
ZIP_BYTES_MAX = 5 << 20
UNZIPPED_BYTES_MAX = 32 << 20
FILES_MAX = 20_000
_FILE_BYTES_MAX = 4 << 20
_DEPTH_MAX = 60
_DIRECTORY_RECORD = b"PK\x01\x02"
_DAMAGED = (
    *(zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError),
    *(ValueError, zlib.error),
)
_PART = r"[0-9A-Za-z_.-]{1,100}"
_LOCALE = re.compile(
    rf"(?:{_PART}/)?BotLocales/(?P<locale>[a-z]{{2}}_[A-Z0-9]{{2,3}})/(?P<rest>.+)"
)
_INTENT = re.compile(rf"Intents/(?P<intent>{_PART})/Intent\.json")
_SLOT = re.compile(rf"Intents/(?P<intent>{_PART})/Slots/(?P<slot>{_PART})/Slot\.json")
_SLOT_TYPE = re.compile(rf"SlotTypes/(?P<type>{_PART})/SlotType\.json")
_RENAMED = {
    "messageGroupsList": "messageGroups",
    "messageGroupList": "messageGroups",
    "isActive": "active",
    "allowMutlipleValues": "allowMultipleValues",
    "confirmationPrompt": "promptSpecification",
    "sampleValueElicitingUtterances": "sampleUtterances",
    "defaultValueSpec": "defaultValueSpecification",
    "nluConfidenceThreshold": "nluIntentConfidenceThreshold",
}
"""Members of exports by their names in the API."""
_EXPORTED = {
    "messageGroups": "messageGroupsList",
    "active": "isActive",
    "nluIntentConfidenceThreshold": "nluConfidenceThreshold",
}
STRATEGIES = {
    "TOP_RESOLUTION": "TopResolution",
    "ORIGINAL_VALUE": "OriginalValue",
    "CONCATENATION": "Concatenation",
}
"""Values of `resolutionStrategy` in exports and templates by those of the API."""


class ExportInvalid(Exception):
    """A file is no export of a bot; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedBot:
    """What a file has."""

    bot: Params
    """`Bot.json`; empty in the export of a locale."""
    locales: Mapping[str, dict[str, Any]]
    """Bodies by locale, in the members of the API; slots name slot types, not their ids."""


def read_export(data: bytes) -> ExportedBot:
    """Read a file. Raises `ExportInvalid`."""
    files = _files(data)
    bot: Params = {}
    locales: dict[str, dict[str, Any]] = {}
    manifest = next((files[name] for name in files if name.lower() == "manifest.json"), None)
    if manifest is None:
        raise ExportInvalid("the file has no Manifest.json")
    kind = _resource_type(manifest)
    for name, document in files.items():
        if re.fullmatch(rf"(?:{_PART}/)?Bot\.json", name):
            bot = document
        elif (match := _LOCALE.fullmatch(name)) is not None:
            body = locales.setdefault(match["locale"], {"intents": {}, "slotTypes": {}})
            _add(body, match["rest"], document)
    if kind == "bot" and not bot:
        raise ExportInvalid("the file has no Bot.json")
    if not locales:
        raise ExportInvalid("the file has no BotLocales")
    for locale, body in locales.items():
        for intent, each in body["intents"].items():
            if "intentName" not in each:
                raise ExportInvalid(f"the locale {locale} has no Intent.json of {intent}")
    return ExportedBot(bot, locales)


def _files(data: bytes) -> dict[str, Any]:
    """The JSON documents of a file, by path."""
    if len(data) > ZIP_BYTES_MAX:
        raise ExportInvalid(f"the file has more than {ZIP_BYTES_MAX} bytes")
    if data.count(_DIRECTORY_RECORD) > FILES_MAX:
        raise ExportInvalid(f"the file has more than {FILES_MAX} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [each for each in archive.infolist() if not each.is_dir()]
            if sum(each.file_size for each in infos) > UNZIPPED_BYTES_MAX:
                raise ExportInvalid(f"the file has more than {UNZIPPED_BYTES_MAX} bytes unzipped")
            found: dict[str, Any] = {}
            for info in infos:
                if info.filename in found:
                    raise ExportInvalid(f"{info.filename[:200]!r} occurs twice")
                if info.filename.lower().endswith(".json"):
                    found[info.filename] = _parse(info.filename, _read(archive, info))
            return found
    except _DAMAGED as error:
        raise ExportInvalid(f"the file is not a zip file, or damaged: {error}") from None


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The contents of an entry, which may say less about its size than is true."""
    with archive.open(info) as contents:
        data = contents.read(_FILE_BYTES_MAX + 1)
    if len(data) > _FILE_BYTES_MAX:
        raise ExportInvalid(f"{info.filename[:200]!r} has more than {_FILE_BYTES_MAX} bytes")
    return data


def _parse(name: str, data: bytes) -> Any:
    try:
        document = parse_plain(data.decode("utf-8-sig"))
    except ValueError as error:
        raise ExportInvalid(f"{name[:200]!r} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ExportInvalid(f"{name[:200]!r} is not an object")
    return _in_api_words(document, name)


def _in_api_words(value: Any, name: str, depth: int = 0) -> Any:
    """A document with the members of the API, without those that are null."""
    if depth > _DEPTH_MAX:
        raise ExportInvalid(f"{name[:200]!r} is nested too deeply")
    if isinstance(value, list):
        return [_in_api_words(each, name, depth + 1) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        _RENAMED.get(key, key): _in_api_words(each, name, depth + 1)
        for key, each in value.items()
        if each is not None
    }


def _resource_type(manifest: Params) -> str:
    found = manifest.get("metaData") or manifest.get("metadata")
    kind = found.get("resourceType") if isinstance(found, dict) else None
    plain = str(kind).replace("_", "").lower()
    if plain not in ("bot", "botlocale"):
        raise ExportInvalid(f"the resourceType {str(kind)[:100]!r} of Manifest.json is not offered")
    return plain


def _add(body: dict[str, Any], path: str, document: dict[str, Any]) -> None:
    if path == "BotLocale.json":
        body.update(_without(document, "name", "identifier", "version"))
    elif (match := _INTENT.fullmatch(path)) is not None:
        intent = body["intents"].setdefault(match["intent"], {"slots": {}})
        intent.update(_without(document, "identifier", "name"))
        intent["intentName"] = document.get("name", match["intent"])
    elif (match := _SLOT.fullmatch(path)) is not None:
        intent = body["intents"].setdefault(match["intent"], {"slots": {}})
        intent["slots"][match["slot"]] = _slot(document, match["slot"])
    elif (match := _SLOT_TYPE.fullmatch(path)) is not None:
        slot_type = _without(document, "identifier", "name")
        slot_type["slotTypeName"] = document.get("name", match["type"])
        setting = slot_type.get("valueSelectionSetting")
        if isinstance(setting, dict) and "resolutionStrategy" in setting:
            given = str(setting["resolutionStrategy"])
            setting["resolutionStrategy"] = STRATEGIES.get(given, given)
        body["slotTypes"][match["type"]] = slot_type


def _slot(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A slot: in exports some members of the elicitation are outside of it."""
    elicitation = document.get("slotValueElicitationSetting")
    elicitation = elicitation if isinstance(elicitation, dict) else {}
    for member in ("slotConstraint", "defaultValueSpecification", "sampleUtterances"):
        if member in document:
            elicitation.setdefault(member, document[member])
    elicitation.setdefault("slotConstraint", "Optional")
    obfuscation = document.get("obfuscationSetting")
    if isinstance(obfuscation, dict):
        given = str(obfuscation.get("obfuscationSettingType"))
        names = {"DEFAULT_OBFUSCATION": "DefaultObfuscation", "NONE": "None"}
        obfuscation["obfuscationSettingType"] = names.get(given, given)
    outside = (
        *("identifier", "name", "slotConstraint", "defaultValueSpecification"),
        *("sampleUtterances", "slotValueElicitationSetting"),
    )
    kept = _without(document, *outside)
    return {
        **kept,
        "slotName": document.get("name", name),
        "valueElicitationSetting": elicitation,
    }


def _without(document: Params, *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def write_export(bot: Params, bot_id: str, version: str, locales: Mapping[str, Params]) -> bytes:
    """A file with a bot, of which the locales are given by id."""
    name = bot["botName"]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:

        def write(path: str, document: Params) -> None:
            archive.writestr(path, json.dumps(_in_export_words(document), indent=2))

        meta = {"schemaVersion": "1", "fileFormat": "LexJson", "resourceType": "BOT"}
        write("Manifest.json", {"metaData": meta})
        given = {each: bot[each] for each in ("description", "dataPrivacy") if each in bot}
        idle = {"idleSessionTTLInSeconds": bot["idleSessionTTLInSeconds"]}
        facts = {"name": name, "version": version, "identifier": bot_id}
        write(f"{name}/Bot.json", {**facts, **given, **idle})
        for locale, body in locales.items():
            _write_locale(write, f"{name}/", locale, body)
    return out.getvalue()


def _write_locale(
    write: Callable[[str, Params], None], prefix: str, locale: str, body: Params
) -> None:
    below = f"{prefix}BotLocales/{locale}"
    settings = {
        key: value
        for key, value in body.items()
        if key in ("description", "voiceSettings", "nluIntentConfidenceThreshold")
    }
    write(f"{below}/BotLocale.json", {"name": locale, "identifier": locale, **settings})
    names = {id: each["slotTypeName"] for id, each in body["slotTypes"].items()}
    for id, each in body["slotTypes"].items():
        document = {"name": names[id], "identifier": id, **_api_members(each, "slotTypeName")}
        write(f"{below}/SlotTypes/{names[id]}/SlotType.json", document)
    for id, intent in body["intents"].items():
        path = f"{below}/Intents/{intent['intentName']}"
        slots = {key: each["slotName"] for key, each in intent["slots"].items()}
        document = {"name": intent["intentName"], "identifier": id}
        document |= _api_members(intent, "intentName", "slots", "slotPriorities")
        document["slotPriorities"] = list(_priorities(intent, slots))
        write(f"{path}/Intent.json", document)
        for key, slot in intent["slots"].items():
            slot_document = {"name": slots[key], "identifier": key}
            slot_document |= _exported_slot(slot, names)
            write(f"{path}/Slots/{slots[key]}/Slot.json", slot_document)


def _priorities(intent: Params, slots: Mapping[str, str]) -> Iterator[Params]:
    for each in intent.get("slotPriorities") or ():
        if each["slotId"] in slots:
            yield {"priority": each["priority"], "slotName": slots[each["slotId"]]}


def _exported_slot(slot: Params, names: Mapping[str, str]) -> dict[str, Any]:
    elicitation = dict(slot["valueElicitationSetting"])
    outside = {
        name: elicitation.pop(name)
        for name in ("slotConstraint", "defaultValueSpecification")
        if name in elicitation
    }
    type_id = slot.get("slotTypeId", "")
    kept = _api_members(slot, "slotName", "slotTypeId", "valueElicitationSetting")
    return {
        **kept,
        **outside,
        "slotTypeName": names.get(type_id, type_id),
        "slotValueElicitationSetting": elicitation,
    }


def _api_members(document: Params, *but: str) -> dict[str, Any]:
    return {
        name: value
        for name, value in document.items()
        if name not in but and not name.startswith("_")
    }


def _in_export_words(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_export_words(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {_EXPORTED.get(key, key): _in_export_words(each) for key, each in value.items()}
