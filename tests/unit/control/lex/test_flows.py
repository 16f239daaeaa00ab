"""The flow of a conversation: next steps, conditions, code hooks, defaults, contexts, failures."""

from typing import Any

import pytest

from lambent.control.lex.ports import HookFailed, HookTimedOut
from lambent.model.errors import ApiError
from tests.exported_bot import (
    BOAT_TYPES,
    EXTEND,
    FALLBACK,
    SLOTS,
    boats,
    files_of,
    intent,
    prompt,
    rent_boat,
    says,
    slot,
    zipped,
)
from tests.unit.control.lex.world import World

pytestmark = pytest.mark.anyio


def goes_to(type: str, slot: str | None = None, **more: Any) -> dict[str, Any]:
    """A next step."""
    return {"dialogAction": {"type": type, "slotToElicit": slot}, **more}


def one(*intents: Any) -> bytes:
    return zipped(files_of(*intents, (FALLBACK, ()), (EXTEND, ())))


async def test_next_steps_and_conditions(world: World) -> None:
    """The definition says what follows, in another order than that of priorities."""
    ask = {
        "active": True,
        "conditionalBranches": [
            {
                **{"name": "Long", "condition": {"expressionString": "{Hours} > 4"}},
                "nextStep": goes_to("ElicitSlot", "Harbor", sessionAttributes={"long": "{Hours}"}),
                "response": says("That is long."),
            }
        ],
        "defaultBranch": {"nextStep": goes_to("FulfillIntent")},
    }
    hours = slot("Hours", "AMAZON.Number", "How long?")
    capture = {"captureConditional": ask, "captureResponse": says("{Hours} hours.")}
    hours["slotValueElicitationSetting"]["slotCaptureSetting"] = capture
    sail = intent(
        *("Sail", ("sail",)),
        initialResponseSetting={
            **{"initialResponse": says("Ahoy!"), "nextStep": goes_to("ElicitSlot", "Hours")},
        },
        intentClosingSetting={"closingResponse": says("Bye, [long]."), "isActive": True},
    )
    await world.import_bot(one((sail, (SLOTS[2], hours))))
    assert await world.hears("sail") == ["Ahoy!", "How long?"]
    assert await world.hears("five") == ["5 hours.", "That is long.", "In which harbor?"]
    assert await world.hears("Kiel") == ["Bye, 5."]
    assert await world.hears("sail", "s2") == ["Ahoy!", "How long?"]
    said = await world.say("two", "s2")
    assert [each["content"] for each in said["messages"]] == ["2 hours.", "Bye, [long]."]
    assert said["sessionState"]["intent"]["state"] == "ReadyForFulfillment"
    assert not world.hook.events


def with_hook(**post: Any) -> dict[str, Any]:
    """RentBoat that calls its hook at the start, as the console makes it."""
    hook = {
        **{"isActive": True, "enableCodeHookInvocation": True, "invocationLabel": "begin"},
        "postCodeHookSpecification": post,
    }
    initial = {"codeHook": hook, "nextStep": goes_to("InvokeDialogCodeHook")}
    return rent_boat(initialResponseSetting=initial)


async def test_hooks_of_a_point(world: World) -> None:
    """A hook is called where the definition says so, and its failures have next steps."""
    await world.import_bot(
        one(
            (
                with_hook(
                    successNextStep=goes_to("ElicitSlot", "Harbor"),
                    failureResponse=says("Sorry."),
                    failureNextStep=goes_to("EndConversation"),
                    timeoutNextStep=goes_to("ElicitIntent"),
                    timeoutResponse=says("Too late. What else?"),
                ),
                SLOTS,
            )
        )
    )
    assert await world.hears("rent a boat") == ["In which harbor?"]
    (event,) = world.hook.events
    assert event["invocationLabel"] == "begin"
    await world.hears("Kiel")
    assert len(world.hook.events) == 1

    def fails(_: Any) -> Any:
        raise HookFailed("no")

    world.hook.answer = fails
    said = await world.say("rent a boat", "s2")
    assert [each["content"] for each in said["messages"]] == ["Sorry."]
    assert said["sessionState"]["dialogAction"] == {"type": "Close"}

    def is_late(_: Any) -> Any:
        raise HookTimedOut("late")

    world.hook.answer = is_late
    said = await world.say("rent a boat", "s3")
    assert [each["content"] for each in said["messages"]] == ["Too late. What else?"]
    assert said["sessionState"]["dialogAction"] == {"type": "ElicitIntent"}


async def test_a_failed_fulfillment(world: World) -> None:
    """Has a response if the definition has one; else the client sees the error."""
    hook = {"enabled": True, "isActive": True}
    post = {"failureResponse": says("No boats."), "successResponse": says("Reserved.")}
    specified = {"fulfillmentCodeHook": {**hook, "postFulfillmentStatusSpecification": post}}
    bare = {**intent("Bare", ("bare",)), "fulfillmentCodeHook": hook}
    await world.import_bot(one(({**intent("Go", ("go",)), **specified}, ()), (bare, ())))
    assert await world.hears("go") == ["Reserved."]

    def fails(_: Any) -> Any:
        raise HookFailed("Invalid Lambda Response: broken")

    world.hook.answer = fails
    said = await world.say("go")
    assert [each["content"] for each in said["messages"]] == ["No boats."]
    assert said["sessionState"]["intent"]["state"] == "Failed"
    with pytest.raises(ApiError, match="broken") as failed:
        await world.say("bare", "s2")
    assert (failed.value.code, failed.value.status) == ("DependencyFailedException", 424)

    def unsure(event: Any) -> Any:
        return {"sessionState": {**event["sessionState"], "dialogAction": {"type": "Delegate"}}}

    world.hook.answer = unsure
    with pytest.raises(ApiError, match="Delegate after the fulfillment"):
        await world.say("bare", "s3")


async def test_a_hook_leads_the_dialog(world: World) -> None:
    """It elicits slots and intents, confirms, begins another intent, and closes."""
    await world.import_bot(boats(dialogCodeHook={"enabled": True}))

    def answers(action: dict[str, Any], *texts: str, **intent: Any) -> None:
        def answer(event: Any) -> Any:
            state = event["sessionState"]
            state["intent"].update(intent)
            messages = [{"contentType": "PlainText", "content": text} for text in texts]
            return {"sessionState": {**state, "dialogAction": action}, "messages": messages}

        world.hook.answer = answer

    answers({"type": "ElicitSlot", "slotToElicit": "Harbor"})
    assert await world.hears("rent a boat") == ["In which harbor?"]
    answers({"type": "ConfirmIntent"}, "Really there?")
    said = await world.say("Kiel")
    assert [each["content"] for each in said["messages"]] == ["Really there?"]
    assert said["sessionState"]["dialogAction"] == {"type": "ConfirmIntent"}
    answers({"type": "ElicitIntent"}, "What then?")
    assert await world.hears("no") == ["What then?"]
    answers({"type": "Close"}, "Done.", state="Fulfilled")
    said = await world.say("rent a boat")
    assert [each["content"] for each in said["messages"]] == ["Done."]
    assert said["sessionState"]["activeContexts"][0]["name"] == "rented"
    answers({"type": "Close"}, name="Help", slots={}, state="Fulfilled")
    assert await world.hears("rent a boat") == ["Say: rent a boat."]


async def test_defaults(world: World) -> None:
    """A default is a text, a session attribute or a value of a context, if it is of the type."""

    def defaulted(*texts: str) -> dict[str, Any]:
        return {"defaultValueList": [{"defaultValue": text} for text in texts]}

    again = intent(
        *("Again", ("again",)),
        intentClosingSetting={"closingResponse": says("{Hours} in {Harbor}"), "isActive": True},
    )
    slots = (
        slot("Hours", "AMAZON.Number", "?", defaultValueSpecification=defaulted("[hours]", "six")),
        slot("Harbor", "AMAZON.City", "?", defaultValueSpecification=defaulted("#rented.Harbor")),
    )
    await world.import_bot(one((again, slots), (rent_boat(), SLOTS)))
    assert await world.hears("again", "s0") == ["?"]  # There is no context yet.
    await world.say("rent a canoe for 2 hours in Bremen")
    await world.say("yes")
    attributes = {"sessionAttributes": {"hours": "7"}}
    assert await world.hears("again", sessionState=attributes) == ["7 in Bremen"]
    attributes = {"sessionAttributes": {"hours": "many"}}
    assert await world.hears("again", sessionState=attributes) == ["6 in Bremen"]


async def test_contexts_end(world: World) -> None:
    """After their turns, or their time."""
    await world.import_bot(boats())
    await world.say("rent a canoe for 2 hours in Bremen")
    said = await world.say("yes")
    (context,) = said["sessionState"]["activeContexts"]
    assert context["timeToLive"] == {"timeToLiveInSeconds": 600, "turnsToLive": 5}
    for _ in range(5):
        assert await world.hears("stay longer") == ["One hour more."]
    assert await world.hears("stay longer") == ["I rent boats."]
    await world.say("rent a canoe for 2 hours in Bremen", "s2")
    await world.say("yes", "s2")
    for _ in range(3):
        world.clock.advance(200)
        said = await world.say("help", "s2")
    assert not said["sessionState"]["activeContexts"]


async def test_several_values(world: World) -> None:
    many = slot("Kinds", "BoatTypes", "Which?", multipleValuesSetting={"allowMutlipleValues": True})
    go = intent(
        *("Go", ("go",)),
        intentClosingSetting={"closingResponse": says("{Kinds}"), "isActive": True},
    )
    await world.import_bot(one((go, (many,))))
    await world.say("go")
    said = await world.say("a raft and a canoe")
    assert said["sessionState"]["dialogAction"]["type"] == "ElicitSlot"
    said = await world.say("kayak, sailing boat")
    value = said["sessionState"]["intent"]["slots"]["Kinds"]
    assert value["shape"] == "List"
    values = [each["value"]["interpretedValue"] for each in value["values"]]
    assert values == ["canoe", "sailing boat"]
    assert said["messages"][0]["content"] == "canoe, sailing boat"


async def test_definitions_that_lead_in_a_circle_end(world: World) -> None:
    """The conversation is closed, and its intent has failed."""
    spin = intent(
        *("Spin", ("spin",)),
        initialResponseSetting={"nextStep": goes_to("StartIntent")},
    )
    hours = slot("Hours", "AMAZON.Number", "How long?")
    back = {"captureNextStep": goes_to("ElicitSlot", "Hours")}
    hours["slotValueElicitationSetting"]["slotCaptureSetting"] = back
    await world.import_bot(one((spin, ()), (intent("Loop", ("loop",)), (hours,))))
    said = await world.say("spin")
    assert said["sessionState"]["intent"]["state"] == "Failed"
    assert said["sessionState"]["dialogAction"] == {"type": "Close"}
    await world.say("loop", "s2")
    said = await world.say("3", "s2")
    assert said["sessionState"]["intent"]["state"] == "Failed"


async def test_another_intent_interrupts(world: World) -> None:
    """While a slot is elicited or an intent is confirmed; what is a value stays one."""
    await world.import_bot(boats())
    await world.say("rent a boat")
    assert await world.hears("help") == ["Say: rent a boat."]
    await world.say("rent a canoe for 2 hours in Bremen")
    said = await world.say("rent a sailing boat for 3 hours in Kiel")
    assert said["messages"][0]["content"] == "A sailing boat, 3 hours, in Kiel. Is it right?"
    assert await world.hears("help") == ["Say: rent a boat."]


async def test_prompts_vary(world: World) -> None:
    """Cards, payloads, variations in their order, and as many retries as the prompt has."""
    card = {"title": "Boats", "buttons": [{"text": "Canoe", "value": "canoe"}]}
    group = {
        "message": {"imageResponseCard": card},
        "variations": [{"customPayload": {"value": '{"of": "[who]"}'}}],
    }
    asks = {**prompt("?", retries=1), "messageGroupsList": [group]}
    boat = slot("Boat", "BoatTypes", "?", elicitation={"promptSpecification": asks})
    await world.import_bot(one((intent("Go", ("go",)), (boat,))))
    said = await world.say("go", sessionState={"sessionAttributes": {"who": "Ann"}})
    assert said["messages"] == [{"contentType": "ImageResponseCard", "imageResponseCard": card}]
    said = await world.say("what")
    assert said["messages"] == [{"contentType": "CustomPayload", "content": '{"of": "Ann"}'}]
    assert await world.hears("what") == ["I rent boats."]


async def test_conditions_must_be_conditions(world: World) -> None:
    """A build names the one that is none."""
    branch = {
        **{"name": "B", "condition": {"expressionString": "{Hours} is many"}},
        "nextStep": goes_to("EndConversation"),
    }
    conditional = {"active": True, "conditionalBranches": [branch], "defaultBranch": {}}
    go = intent("Go", ("go",), initialResponseSetting={"conditional": conditional})
    with pytest.raises(AssertionError, match="has more than a condition"):
        await world.import_bot(one((go, ())))


async def test_types_of_the_bot_are_needed(world: World) -> None:
    """What cannot be built says why, and does not run."""
    files = files_of((rent_boat(), SLOTS), types=(BOAT_TYPES,))
    broken = {**BOAT_TYPES, "parentSlotTypeSignature": "AMAZON.Nothing"}
    files["Boats/BotLocales/en_US/SlotTypes/BoatTypes/SlotType.json"] = broken
    with pytest.raises(AssertionError, match=r"AMAZON.Nothing is not offered"):
        await world.import_bot(zipped(files))
    with pytest.raises(ApiError, match="is not built") as failed:
        await world.say("rent a boat")
    assert failed.value.code == "BadGatewayException"
