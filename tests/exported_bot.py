"""A small bot in the layout of Lex's exports: it rents boats."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

ROLE = "arn:aws:iam::000000000000:role/lex-role"
Document = Mapping[str, Any]


def says(*texts: str) -> dict[str, Any]:
    """A response with a message in one variation each."""
    messages = [
        {
            **{"plainTextMessage": {"value": text}, "ssmlMessage": None},
            **{"customPayload": None, "imageResponseCard": None},
        }
        for text in texts
    ]
    group = {"message": messages[0], "variations": messages[1:] or None}
    return {"messageGroupsList": [group], "allowInterrupt": True}


def prompt(*texts: str, retries: int = 2) -> dict[str, Any]:
    """A prompt."""
    ordered = {"maxRetries": retries, "messageSelectionStrategy": "Ordered"}
    return {**says(*texts), **ordered}


def slot(name: str, type: str, question: str, **more: Any) -> dict[str, Any]:
    """`Slot.json`."""
    elicitation = {
        **{"promptSpecification": prompt(question, f"Once more: {question}")},
        **{"sampleUtterances": None, "waitAndContinueSpecification": None},
    }
    return {
        **{"name": name, "identifier": "SLOT000000", "description": None},
        "multipleValuesSetting": {"allowMutlipleValues": False},
        **{"slotTypeName": type, "obfuscationSetting": None, "slotConstraint": "Required"},
        "defaultValueSpecification": {"defaultValueList": []},
        "slotValueElicitationSetting": {**elicitation, **more.pop("elicitation", {})},
        **more,
    }


def intent(name: str, utterances: Sequence[str], **more: Any) -> dict[str, Any]:
    """`Intent.json`."""
    return {
        **{"name": name, "identifier": "INTENT0000", "description": None},
        **{"parentIntentSignature": None, "dialogCodeHook": None, "fulfillmentCodeHook": None},
        "sampleUtterances": [{"utterance": each} for each in utterances] or None,
        **{"inputContexts": None, "outputContexts": None, "kendraConfiguration": None},
        **{"intentConfirmationSetting": None, "intentClosingSetting": None, "slotPriorities": []},
        **more,
    }


def rent_boat(**more: Any) -> dict[str, Any]:
    """The intent with slots."""
    return intent(
        "RentBoat",
        (
            *("Rent a boat", "I want to rent a {BoatType}"),
            "Rent a {BoatType} for {Hours} hours in {Harbor}",
        ),
        fulfillmentCodeHook={"enabled": True, "isActive": True},
        intentConfirmationSetting={
            "promptSpecification": prompt("A {BoatType}, {Hours} hours, in {Harbor}. Is it right?"),
            "declinationResponse": says("Then not."),
            "isActive": True,
        },
        intentClosingSetting={"closingResponse": says("Have fun, [name]!"), "isActive": True},
        slotPriorities=[
            {"priority": 2, "slotName": "Hours"},
            {"priority": 1, "slotName": "BoatType"},
            {"priority": 3, "slotName": "Harbor"},
        ],
        outputContexts=[{"name": "rented", "timeToLiveInSeconds": 600, "turnsToLive": 5}],
        **more,
    )


BOAT_TYPES = {
    **{"name": "BoatTypes", "identifier": "TYPE000000", "description": None},
    "slotTypeValues": [
        {"sampleValue": {"value": "canoe"}, "synonyms": [{"value": "kayak"}]},
        {"sampleValue": {"value": "sailing boat"}, "synonyms": None},
    ],
    "valueSelectionSetting": {"resolutionStrategy": "TOP_RESOLUTION", "regexFilter": None},
    "parentSlotTypeSignature": None,
}
SLOTS = (
    slot("BoatType", "BoatTypes", "Which boat: canoe or sailing boat?"),
    slot("Hours", "AMAZON.Number", "For how many hours?"),
    slot("Harbor", "AMAZON.City", "In which harbor?"),
)
FALLBACK = intent(
    "FallbackIntent",
    (),
    parentIntentSignature="AMAZON.FallbackIntent",
    intentClosingSetting={"closingResponse": says("I rent boats."), "isActive": True},
)
HELP = intent(
    "Help",
    (),
    parentIntentSignature="AMAZON.HelpIntent",
    intentClosingSetting={"closingResponse": says("Say: rent a boat."), "isActive": True},
)
EXTEND = intent(
    "Extend",
    ("stay longer",),
    inputContexts=[{"name": "rented"}],
    intentClosingSetting={"closingResponse": says("One hour more."), "isActive": True},
)


def files_of(
    *intents: tuple[Document, Sequence[Document]],
    types: Sequence[Document] = (BOAT_TYPES,),
    locale: str = "en_US",
) -> dict[str, Document]:
    """The files of an export, by path."""
    meta = {"schemaVersion": "1", "fileFormat": "LexJson", "resourceType": "BOT"}
    below = f"Boats/BotLocales/{locale}"
    files: dict[str, Document] = {
        "Manifest.json": {"metaData": meta},
        "Boats/Bot.json": {
            **{"name": "Boats", "version": "1", "identifier": "BOT0000000"},
            **{"dataPrivacy": {"childDirected": False}, "idleSessionTTLInSeconds": 300},
        },
        f"{below}/BotLocale.json": {
            **{"name": "English (US)", "identifier": locale, "version": None},
            **{"voiceSettings": {"voiceId": "Danielle", "engine": "neural"}},
            "nluConfidenceThreshold": 0.4,
        },
    }
    for each, slots in intents:
        path = f"{below}/Intents/{each['name']}"
        files[f"{path}/Intent.json"] = each
        files |= {f"{path}/Slots/{slot['name']}/Slot.json": slot for slot in slots}
    files |= {f"{below}/SlotTypes/{each['name']}/SlotType.json": each for each in types}
    return files


def zipped(files: Mapping[str, Document]) -> bytes:
    """The export as a file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, document in files.items():
            archive.writestr(path, json.dumps(document))
    return out.getvalue()


def boats(**more: Any) -> bytes:
    """The whole bot; `more` are members of RentBoat's `Intent.json`."""
    return zipped(files_of((rent_boat(**more), SLOTS), (FALLBACK, ()), (HELP, ()), (EXTEND, ())))
