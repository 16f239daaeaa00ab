"""An exported bot runs: it is imported, built, and talked to with boto3. Its functions are real."""

import base64
import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.exported_bot import boats
from tests.platforms import Platform, deploy, log_lines, wait_for

from .conftest import Bot, import_bot, texts

HOOK = """
import json

def handler(event, context):
    print("GOT " + json.dumps(event))
    state, intent = event["sessionState"], event["sessionState"]["intent"]
    slots = intent["slots"]
    if event["invocationSource"] == "FulfillmentCodeHook":
        intent["state"] = "Fulfilled"
        state["sessionAttributes"]["name"] = "Ann"
        return {"sessionState": {**state, "dialogAction": {"type": "Close"}}}
    hours = slots.get("Hours")
    if hours and int(hours["value"]["interpretedValue"]) > 8:
        slots["Hours"] = None
        action = {"type": "ElicitSlot", "slotToElicit": "Hours"}
        said = [{"contentType": "PlainText", "content": "At most 8 hours. How many?"}]
        return {"sessionState": {**state, "dialogAction": action}, "messages": said}
    return {"sessionState": {**state, "dialogAction": {"type": "Delegate"}}}
"""
NODE = """
exports.handler = async (event) => ({
  sessionState: {
    dialogAction: { type: "Close" },
    intent: { ...event.sessionState.intent, state: "Fulfilled" },
  },
  messages: [
    { contentType: "PlainText", content: `Node rents ${event.bot.name}` },
    {
      contentType: "ImageResponseCard",
      imageResponseCard: { title: "Next", buttons: [{ text: "Again", value: "rent a boat" }] },
    },
  ],
});
"""


@pytest.fixture(scope="module")
def client(platform: Platform) -> Any:
    """A client of Lambda."""
    return platform.client("lambda")


@pytest.fixture(scope="module")
def bot(platform: Platform, client: Any) -> Bot:
    """A bot whose function is asked at every turn."""
    arn = deploy(client, "lex-hook", {"app.py": HOOK})["FunctionArn"]
    bot = import_bot(platform, boats(dialogCodeHook={"enabled": True}), "boats-hooked")
    bot.attach(arn)
    return bot


def events(platform: Platform, name: str, session: str) -> list[Any]:
    """The events of a session that a function has printed."""
    lines = [line for line in log_lines(platform, name) if line.startswith("GOT ")]
    found = [json.loads(line.removeprefix("GOT ")) for line in lines]
    return [event for event in found if event["sessionId"] == session]


def test_a_conversation(platform: Platform, bot: Bot) -> None:
    """Slots in the order of their priority, a value that the function refuses, a question that is
    repeated, the confirmation, the fulfillment, and a context that it leaves."""
    said = bot.say("ann", "Please rent a boat!")
    assert texts(said) == ["Which boat: canoe or sailing boat?"]
    assert said["sessionState"]["dialogAction"] == {
        "type": "ElicitSlot",
        "slotToElicit": "BoatType",
    }
    assert said["interpretations"][0]["nluConfidence"] == {"score": 0.75}
    said = bot.say("ann", "a submarine")
    assert texts(said) == ["Once more: Which boat: canoe or sailing boat?"]
    said = bot.say("ann", "the kayak, please")
    assert texts(said) == ["For how many hours?"]
    canoe = said["sessionState"]["intent"]["slots"]["BoatType"]["value"]
    assert canoe["interpretedValue"] == "canoe"
    assert texts(bot.say("ann", "twenty")) == ["At most 8 hours. How many?"]
    assert texts(bot.say("ann", "for three hours")) == ["In which harbor?"]
    said = bot.say("ann", "Kiel")
    assert texts(said) == ["A canoe, 3 hours, in Kiel. Is it right?"]
    assert said["sessionState"]["dialogAction"]["type"] == "ConfirmIntent"
    said = bot.say("ann", "yes")
    assert texts(said) == ["Have fun, Ann!"]
    state = said["sessionState"]
    assert (state["intent"]["state"], state["dialogAction"]["type"]) == ("Fulfilled", "Close")
    assert state["sessionAttributes"] == {"name": "Ann"}
    (context,) = state["activeContexts"]
    assert context["name"] == "rented"
    assert context["contextAttributes"]["Harbor"] == "Kiel"
    assert texts(bot.say("ann", "stay longer")) == ["One hour more."]
    assert texts(bot.say("bob", "stay longer")) == ["I rent boats."]
    assert texts(bot.say("ann", "help")) == ["Say: rent a boat."]


def test_the_event(platform: Platform, bot: Bot) -> None:
    """A function gets what AWS documents."""
    bot.say("event", "Rent a kayak for 2 hours in Bremen", requestAttributes={"channel": "web"})
    bot.say("event", "yes")
    found = wait_for(
        lambda: (
            [*events(platform, "lex-hook", "event")][2:] and events(platform, "lex-hook", "event")
        ),
        "the events of three calls",
    )
    first, confirmed, fulfilled = found
    assert first["messageVersion"] == "1.0"
    assert first["invocationSource"] == "DialogCodeHook"
    assert first["inputMode"] == "Text"
    assert first["responseContentType"] == "text/plain; charset=utf-8"
    assert first["inputTranscript"] == "Rent a kayak for 2 hours in Bremen"
    assert first["bot"] == {
        **{"id": bot.id, "name": "boats-hooked", "version": "DRAFT", "localeId": "en_US"},
        **{"aliasId": "TSTALIASID", "aliasName": "TestBotAlias"},
    }
    assert first["requestAttributes"] == {"channel": "web"}
    slots = first["sessionState"]["intent"]["slots"]
    assert slots["BoatType"] == {
        "shape": "Scalar",
        "value": {
            **{"originalValue": "kayak", "interpretedValue": "canoe"},
            "resolvedValues": ["canoe"],
        },
    }
    top = first["interpretations"][0]
    assert (top["intent"]["name"], top["interpretationSource"]) == ("RentBoat", "Lex")
    assert 0.9 <= top["nluConfidence"] < 1
    assert first["interpretations"][-1]["intent"]["name"] == "FallbackIntent"
    assert first["proposedNextState"]["dialogAction"] == {"type": "ConfirmIntent"}
    assert first["proposedNextState"]["prompt"] == {"attempt": "Initial"}
    (transcription,) = first["transcriptions"]
    assert transcription["resolvedContext"] == {"intent": "RentBoat"}
    assert transcription["resolvedSlots"]["Hours"]["value"]["interpretedValue"] == "2"
    assert confirmed["sessionState"]["intent"]["confirmationState"] == "Confirmed"
    assert fulfilled["invocationSource"] == "FulfillmentCodeHook"
    assert fulfilled["sessionState"]["intent"]["state"] == "ReadyForFulfillment"
    assert "proposedNextState" not in fulfilled


def test_declining_and_giving_up(bot: Bot) -> None:
    """A user who says no, and one who is not understood: the fallback intent answers."""
    bot.say("no", "Rent a canoe for 2 hours in Bremen")
    said = bot.say("no", "no thanks")
    assert texts(said) == ["Then not."]
    assert said["sessionState"]["intent"]["state"] == "Failed"
    bot.say("lost", "rent a boat")
    for _ in range(2):
        said = bot.say("lost", "what?")
        assert said["sessionState"]["dialogAction"]["type"] == "ElicitSlot"
    assert texts(bot.say("lost", "what?")) == ["I rent boats."]


def test_sessions(bot: Bot) -> None:
    """Sessions are read, put and deleted."""
    place = {"botId": bot.id, "botAliasId": bot.alias, "localeId": "en_US", "sessionId": "kept"}
    with pytest.raises(bot.runtime.exceptions.ResourceNotFoundException):
        bot.runtime.get_session(**place)
    put = bot.runtime.put_session(
        **place,
        sessionState={
            "sessionAttributes": {"name": "Eve"},
            "dialogAction": {"type": "ElicitSlot", "slotToElicit": "Hours"},
            "intent": {"name": "RentBoat"},
        },
    )
    said = json.loads(gzip.decompress(base64.b64decode(put["messages"])))
    assert said == [{"contentType": "PlainText", "content": "For how many hours?"}]
    assert put["sessionId"] == "kept"
    got = bot.runtime.get_session(**place)
    assert got["sessionState"]["sessionAttributes"] == {"name": "Eve"}
    assert got["sessionState"]["intent"]["name"] == "RentBoat"
    said = bot.say("kept", "4")
    assert said["sessionState"]["intent"]["slots"]["Hours"]["value"]["interpretedValue"] == "4"
    bot.runtime.delete_session(**place)
    with pytest.raises(bot.runtime.exceptions.ResourceNotFoundException):
        bot.runtime.get_session(**place)


def test_utterances(bot: Bot) -> None:
    """RecognizeUtterance takes text, and says everything in headers."""
    place = {"botId": bot.id, "botAliasId": bot.alias, "localeId": "en_US", "sessionId": "heard"}
    attributes = json.dumps({"sessionAttributes": {"name": "Kim"}}).encode()
    said = bot.runtime.recognize_utterance(
        **place,
        requestContentType="text/plain; charset=utf-8",
        sessionState=base64.b64encode(gzip.compress(attributes)).decode(),
        inputStream=b"rent a boat",
    )

    def unpack(name: str) -> Any:
        return json.loads(gzip.decompress(base64.b64decode(said[name])))

    assert unpack("messages")[0]["content"] == "Which boat: canoe or sailing boat?"
    assert unpack("sessionState")["sessionAttributes"] == {"name": "Kim"}
    assert unpack("inputTranscript") == "rent a boat"
    assert unpack("interpretations")[0]["nluConfidence"] == {"score": 1.0}
    assert (said["inputMode"], said["contentType"]) == ("Text", "text/plain; charset=utf-8")
    with pytest.raises(ClientError, match="without speech"):
        bot.runtime.recognize_utterance(
            **place, requestContentType="audio/x-l16; sample-rate=16000"
        )


def test_functions_that_fail(platform: Platform, client: Any) -> None:
    """What a function does wrong reaches the client as in AWS."""
    code = """
def handler(event, context):
    kind = event["requestAttributes"]["kind"]
    if kind == "raise":
        raise ValueError("no boats")
    if kind == "text":
        return "no response"
    intent = {**event["sessionState"]["intent"], "name": "Nothing"}
    return {"sessionState": {"dialogAction": {"type": "Close"}, "intent": intent}}
"""
    arn = deploy(client, "lex-wrong", {"app.py": code})["FunctionArn"]
    bot = import_bot(platform, boats(dialogCodeHook={"enabled": True}), "boats-wrong")
    with pytest.raises(bot.runtime.exceptions.DependencyFailedException, match="has none"):
        bot.say("x1", "rent a boat")
    bot.attach(arn)
    for kind, words in (
        ("raise", "Invalid Lambda Response: Received error response from Lambda: Unhandled"),
        ("text", "Invalid Lambda Response: Received invalid response from Lambda: "),
        ("intent", "has no intent 'Nothing'"),
    ):
        with pytest.raises(bot.runtime.exceptions.DependencyFailedException) as failed:
            bot.say("x2", "rent a boat", requestAttributes={"kind": kind})
        assert words in failed.value.response["Error"]["Message"]
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
    client.delete_function(FunctionName="lex-wrong")
    with pytest.raises(bot.runtime.exceptions.DependencyFailedException, match="cannot be called"):
        bot.say("x3", "rent a boat")


def test_a_version_and_an_alias(platform: Platform, client: Any) -> None:
    """A version stays as it is when the draft changes; its alias has a function for Node.js."""
    runtime = {"Runtime": "nodejs22.x", "Handler": "index.handler"}
    arn = deploy(client, "lex-node", {"index.js": NODE}, **runtime)["FunctionArn"]
    draft = import_bot(platform, boats(), "boats-versions")
    models, bot = draft.models, {"botId": draft.id}
    source = {"en_US": {"sourceBotVersion": "DRAFT"}}
    version = models.create_bot_version(**bot, botVersionLocaleSpecification=source)["botVersion"]
    assert version == "1"
    hook = {"lambdaARN": arn, "codeHookInterfaceVersion": "1.0"}
    setting = {"enabled": True, "codeHookSpecification": {"lambdaCodeHook": hook}}
    made = models.create_bot_alias(
        **bot, botAliasName="live", botVersion="1", botAliasLocaleSettings={"en_US": setting}
    )
    place = {**bot, "botVersion": "DRAFT", "localeId": "en_US"}
    listed = models.list_intents(**place)["intentSummaries"]
    (id,) = (each["intentId"] for each in listed if each["intentName"] == "Help")
    models.delete_intent(**place, intentId=id)
    assert models.describe_bot_locale(**place)["botLocaleStatus"] == "NotBuilt"
    assert texts(draft.say("draft", "help")) == ["Say: rent a boat."]  # What was built.
    models.build_bot_locale(**place)
    assert texts(draft.say("draft", "help")) == ["I rent boats."]
    live = Bot(models, draft.runtime, draft.id, made["botAliasId"])
    assert texts(live.say("live", "help")) == ["Say: rent a boat."]
    live.say("live", "Rent a canoe for 2 hours in Bremen")
    said = live.say("live", "yes")
    first, card = said["messages"]
    assert first["content"] == "Node rents boats-versions"
    assert card["imageResponseCard"]["buttons"] == [{"text": "Again", "value": "rent a boat"}]
    with pytest.raises(models.exceptions.PreconditionFailedException):
        models.delete_bot_version(**bot, botVersion="1")
    models.delete_bot_alias(**bot, botAliasId=made["botAliasId"])
    models.delete_bot_version(**bot, botVersion="1")
    models.delete_bot(**bot)
    with pytest.raises(draft.runtime.exceptions.ResourceNotFoundException):
        draft.say("draft", "help")
