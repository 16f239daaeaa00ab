"""Bots are built by operations, exported and imported again; what is wrong with links and imports
is refused."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.exported_bot import ROLE, boats, files_of, rent_boat, zipped
from tests.forking import commands
from tests.platforms import Platform

from .conftest import Bot, clients_of, start_import, texts, upload

PROMPT = {
    "promptSpecification": {
        "messageGroups": [{"message": {"plainTextMessage": {"value": "Which color?"}}}],
        "maxRetries": 1,
    }
}


@pytest.fixture(scope="module")
def models(platform: Platform) -> Any:
    return clients_of(platform)[0]


def read(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        data: bytes = response.read()
        return data


def build(models: Any, name: str) -> dict[str, str]:
    """A bot that paints, made by operations as a script does: the place of its draft."""
    bot = models.create_bot(
        botName=name,
        roleArn=ROLE,
        dataPrivacy={"childDirected": False},
        idleSessionTTLInSeconds=300,
        botTags={"team": "paint"},
    )["botId"]
    place = {"botId": bot, "botVersion": "DRAFT", "localeId": "en_GB"}
    models.create_bot_locale(**place, nluIntentConfidenceThreshold=0.5)
    colors = models.create_slot_type(
        **place,
        slotTypeName="Colors",
        slotTypeValues=[{"sampleValue": {"value": each}} for each in ("red", "dark blue")],
        valueSelectionSetting={"resolutionStrategy": "TopResolution"},
    )["slotTypeId"]
    intent = {"intentName": "Paint", "sampleUtterances": [{"utterance": "paint it {Color}"}]}
    intent["sampleUtterances"].append({"utterance": "paint it"})  # type: ignore[attr-defined]
    id = models.create_intent(**place, **intent)["intentId"]
    slot = models.create_slot(
        **place,
        intentId=id,
        slotName="Color",
        slotTypeId=colors,
        valueElicitationSetting={"slotConstraint": "Required", **PROMPT},
    )["slotId"]
    said = {"messageGroups": [{"message": {"plainTextMessage": {"value": "It is {Color}."}}}]}
    models.update_intent(
        **{**place, **intent, "intentId": id},
        slotPriorities=[{"priority": 1, "slotId": slot}],
        intentClosingSetting={"closingResponse": said},
    )
    models.build_bot_locale(**place)
    return {**place, "intentId": id, "slotId": slot, "slotTypeId": colors}


def test_a_bot_is_built_by_operations(platform: Platform, models: Any) -> None:
    """And is described and listed as it was made."""
    made = build(models, "painter")
    place = {name: made[name] for name in ("botId", "botVersion", "localeId")}
    bot = Bot(models, clients_of(platform)[1], made["botId"], locale="en_GB")
    assert texts(bot.say("p1", "paint it")) == ["Which color?"]
    assert texts(bot.say("p1", "dark blue")) == ["It is dark blue."]
    assert texts(bot.say("p1", "paint it red")) == ["It is red."]
    locale = models.describe_bot_locale(**place)
    assert (locale["intentsCount"], locale["slotTypesCount"]) == (1, 1)
    assert "no machine learning" in locale["recommendedActions"][0]
    (intent,) = models.list_intents(**place)["intentSummaries"]
    described = models.describe_intent(**place, intentId=intent["intentId"])
    assert described["slotPriorities"] == [{"priority": 1, "slotId": made["slotId"]}]
    (slot,) = models.list_slots(**place, intentId=intent["intentId"])["slotSummaries"]
    assert (slot["slotName"], slot["slotConstraint"]) == ("Color", "Required")
    (slot_type,) = models.list_slot_types(**place)["slotTypeSummaries"]
    assert slot_type["slotTypeName"] == "Colors"
    with pytest.raises(models.exceptions.PreconditionFailedException, match="use the slot type"):
        models.delete_slot_type(**place, slotTypeId=made["slotTypeId"])
    with pytest.raises(models.exceptions.PreconditionFailedException, match="already"):
        models.create_slot_type(**place, slotTypeName="Colors")
    arn = f"arn:aws:lex:us-east-1:000000000000:bot/{made['botId']}"
    models.tag_resource(resourceARN=arn, tags={"stage": "dev"})
    models.untag_resource(resourceARN=arn, tagKeys=["team"])
    assert models.list_tags_for_resource(resourceARN=arn)["tags"] == {"stage": "dev"}
    found = models.list_bots(filters=[{"name": "BotName", "values": ["painter"], "operator": "EQ"}])
    assert [each["botId"] for each in found["botSummaries"]] == [made["botId"]]
    models.delete_slot(**place, intentId=made["intentId"], slotId=made["slotId"])
    failed = models.build_bot_locale(**place)
    assert failed["botLocaleStatus"] == "Failed"
    assert "which is none" in models.describe_bot_locale(**place)["failureReasons"][0]
    models.delete_bot(botId=made["botId"])


def test_an_export_is_imported_again(platform: Platform, models: Any) -> None:
    """What was exported runs under another name."""
    made = build(models, "exported")
    specification = {"botExportSpecification": {"botId": made["botId"], "botVersion": "DRAFT"}}
    export = models.create_export(resourceSpecification=specification, fileFormat="LexJson")
    found = models.describe_export(exportId=export["exportId"])
    assert found["exportStatus"] == "Completed"
    data = read(found["downloadUrl"])
    imported = start_import(models, data, "imported")
    assert imported["importStatus"] == "Completed", imported
    place = {"botId": imported["importedResourceId"], "botVersion": "DRAFT", "localeId": "en_GB"}
    assert models.build_bot_locale(**place)["botLocaleStatus"] == "Built"
    bot = Bot(models, clients_of(platform)[1], place["botId"], locale="en_GB")
    assert texts(bot.say("e1", "paint it")) == ["Which color?"]
    assert texts(bot.say("e1", "red")) == ["It is red."]
    again = start_import(models, data, "imported")
    assert again["importStatus"] == "Failed"
    assert "already" in again["failureReasons"][0]
    again = start_import(models, data, "imported", mergeStrategy="Overwrite")
    assert again["importedResourceId"] == place["botId"]
    listed = models.list_exports(botId=made["botId"])["exportSummaries"]
    assert [each["exportId"] for each in listed] == [export["exportId"]]
    models.delete_export(exportId=export["exportId"])
    for each in (made["botId"], place["botId"]):
        models.delete_bot(botId=each)


def test_hostile_imports(models: Any) -> None:
    """A file that is none, or has what the API would refuse, ends its import, and makes nothing."""
    before = len(models.list_bots()["botSummaries"])
    strange = files_of((rent_boat(), ()))
    intent = "Boats/BotLocales/en_US/Intents/RentBoat/Intent.json"
    for data, words in (
        (b"no zip", "not a zip file"),
        (zipped({**strange, intent: {**rent_boat(), "sampleUtterances": "x"}}), "sampleUtterances"),
        (zipped({**strange, intent: {**rent_boat(), "name": "a/b"}}), "intentName"),
        (zipped({**strange, intent: {**rent_boat(), "intentClosingSetting": [[]]}}), "Setting"),
        (zipped({**strange, intent: {**rent_boat(), "kendraConfiguration": {}}}), "kendraIndex"),
        (zipped(files_of((rent_boat(), ()), locale="xx_XX")), "not one of Lex"),
    ):
        found = start_import(models, data, "hostile")
        assert found["importStatus"] == "Failed", words
        assert words in found["failureReasons"][0], found
    assert len(models.list_bots()["botSummaries"]) == before


def test_links(platform: Platform, models: Any) -> None:
    """A link serves what it was made for, once it was started no more, and no other."""
    made = models.create_upload_url()
    url: str = made["uploadUrl"]

    def refusal(url: str, method: str = "PUT", data: bytes | None = b"x") -> int:
        request = urllib.request.Request(url, data=data, method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        with refused.value as error:
            assert b"Traceback" not in error.read()
            return error.code

    subject, _, signature = url.rpartition("/")
    assert refusal(f"{subject}/{'0' * 64}") == 403
    other = models.create_upload_url()["uploadUrl"].rpartition("/")[0]
    assert refusal(f"{other}/{signature}") == 403
    assert refusal(url.replace("/000000000000/", "/000000000001/")) == 403
    assert refusal(f"{platform.endpoint}/_lambent/lex/{'a/' * 2000}") in (403, 404, 414)
    assert refusal(url, "GET", None) == 403
    assert refusal(url, "DELETE", None) == 405
    assert refusal(url, "PUT", b"0" * ((5 << 20) + 1)) == 413
    upload(url, boats())
    specification = {
        "botImportSpecification": {
            **{"botName": "linked", "roleArn": ROLE, "dataPrivacy": {"childDirected": False}}
        }
    }
    options = {"importId": made["importId"], "mergeStrategy": "FailOnConflict"}
    models.start_import(**options, resourceSpecification=specification)
    assert refusal(url) == 400
    with pytest.raises(ClientError, match="used already"):
        models.start_import(**options, resourceSpecification=specification)
    models.delete_bot(botId=models.describe_import(importId=made["importId"])["importedResourceId"])


def test_what_is_not_offered(models: Any) -> None:
    """Is refused with a reason; nothing is stored and then does nothing."""
    made = build(models, "refused")
    place = {name: made[name] for name in ("botId", "botVersion", "localeId")}
    source = {"en_GB": {"sourceBotVersion": "DRAFT"}}
    models.create_bot_version(botId=made["botId"], botVersionLocaleSpecification=source)
    logs = {"textLogSettings": [{"enabled": True, "destination": {"cloudWatch": {}}}]}
    for operation, params in (
        (
            "create_intent",
            {**place, "intentName": "K", "parentIntentSignature": "AMAZON.KendraSearchIntent"},
        ),
        (
            "create_slot_type",
            {**place, "slotTypeName": "C", "compositeSlotTypeSetting": {"subSlots": []}},
        ),
        (
            "create_slot_type",
            {**place, "slotTypeName": "C", "externalSourceSetting": {"grammarSlotTypeSetting": {}}},
        ),
        (
            "create_bot_alias",
            {"botId": made["botId"], "botAliasName": "l", "conversationLogSettings": logs},
        ),
        ("list_test_sets", {}),
        ("start_bot_analyzer", {"botId": made["botId"], "analysisScope": "BotLocale"}),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(models, operation)(**params)
        assert refused.value.response["Error"]["Code"] == "ValidationException", operation
        assert refused.value.response["Error"]["Message"]
    models.delete_bot(botId=made["botId"], skipResourceInUseCheck=True)


def test_the_command_line_of_aws(platform: Platform, models: Any, tmp_path: Path) -> None:
    """Amazon's own client."""
    made = build(models, "by-hand")
    done = subprocess.run(
        [
            *("aws", "lexv2-runtime", "recognize-text", "--bot-id", made["botId"]),
            *("--bot-alias-id", "TSTALIASID", "--locale-id", "en_GB", "--session-id", "cli"),
            *("--text", "Paint it dark blue!", "--endpoint-url", platform.endpoint),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
        env={
            "PATH": f"{commands()}:{Path(sys.executable).parent}",
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
    )
    said = json.loads(done.stdout)
    assert said["messages"] == [{"content": "It is dark blue.", "contentType": "PlainText"}]
    assert said["interpretations"][0]["nluConfidence"] == {"score": 1.0}
    models.delete_bot(botId=made["botId"])
