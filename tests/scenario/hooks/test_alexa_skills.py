"""Skills made with Alexa's own SDKs, tried with `lambent hook send`, without Amazon."""

import io
import json
import zipfile
from typing import Any

import pytest

from tests.packages import INSTALLED, package
from tests.platforms import PYTHON, ROLE, Platform, wait_active

from .hooks import Hook, create, lambent

SKILL = "amzn1.ask.skill.00000000-1111-2222-3333-444444444444"

IN_PYTHON = """
from ask_sdk_core.skill_builder import SkillBuilder
from ask_sdk_core.utils import get_slot_value, is_intent_name, is_request_type

builder = SkillBuilder()
builder.skill_id = "SKILL"

@builder.request_handler(can_handle_func=is_request_type("LaunchRequest"))
def launch(handler_input):
    handler_input.attributes_manager.session_attributes["greeted"] = True
    return handler_input.response_builder.speak("Welcome").ask("Who is there?").response

@builder.request_handler(can_handle_func=is_intent_name("Hello"))
def hello(handler_input):
    known = handler_input.attributes_manager.session_attributes.get("greeted", False)
    name = get_slot_value(handler_input, "name")
    return handler_input.response_builder.speak(f"Hello {name}, {known}").response

@builder.request_handler(can_handle_func=is_request_type("SessionEndedRequest"))
def end(handler_input):
    return handler_input.response_builder.response

handler = builder.lambda_handler()
"""
IN_NODE = """
const Alexa = require('ask-sdk-core');

const launch = {
  canHandle: (input) => Alexa.getRequestType(input.requestEnvelope) === 'LaunchRequest',
  handle(input) {
    input.attributesManager.setSessionAttributes({ greeted: true });
    return input.responseBuilder.speak('Welcome').reprompt('Who is there?').getResponse();
  },
};
const hello = {
  canHandle: (input) => Alexa.getRequestType(input.requestEnvelope) === 'IntentRequest'
    && Alexa.getIntentName(input.requestEnvelope) === 'Hello',
  handle(input) {
    const known = input.attributesManager.getSessionAttributes().greeted ? 'True' : 'False';
    const name = Alexa.getSlotValue(input.requestEnvelope, 'name');
    return input.responseBuilder.speak(`Hello ${name}, ${known}`).getResponse();
  },
};
const end = {
  canHandle: (input) => Alexa.getRequestType(input.requestEnvelope) === 'SessionEndedRequest',
  handle: (input) => input.responseBuilder.getResponse(),
};
exports.handler = Alexa.SkillBuilders.custom()
  .addRequestHandlers(launch, hello, end).withSkillId('SKILL').lambda();
"""


def node_package() -> bytes:
    """The skill in JavaScript, with its SDK."""
    modules = INSTALLED / "alexa-node"
    assert modules.is_dir(), "run `make test`, it installs the packages"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("app.js", IN_NODE.replace("SKILL", SKILL))
        for path in sorted((modules / "node_modules").rglob("*")):
            if path.is_file() and path.suffix in (".js", ".json"):
                archive.write(path, path.relative_to(modules))
    return file.getvalue()


@pytest.fixture(scope="module", params=["python", "node"])
def skill(request: pytest.FixtureRequest, platform: Platform, lambda_client: Any) -> Hook:
    """A hook for a skill."""
    language: str = request.param
    in_python = IN_PYTHON.replace("SKILL", SKILL)
    code = node_package() if language == "node" else package("alexa", in_python)
    name = f"skill-{language}"
    lambda_client.create_function(
        FunctionName=name,
        Runtime="nodejs20.x" if language == "node" else PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Timeout=8,
        MemorySize=512,
        Code={"ZipFile": code},
    )
    wait_active(lambda_client, name)
    return create(platform, name, "alexa", "--function", name, "--skill", SKILL, "--local")


def send(hook: Hook, *arguments: str) -> Any:
    """`lambent hook send`."""
    done = lambent(hook.platform, "hook", "send", hook.name, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_conversation(skill: Hook) -> None:
    """Launch, an intent with a slot in the same session, the end."""
    assert skill.secret == ""
    launched = send(skill, "launch")
    assert launched["response"]["outputSpeech"]["ssml"] == "<speak>Welcome</speak>"
    assert launched["sessionAttributes"] == {"greeted": True}
    attributes = json.dumps(launched["sessionAttributes"])
    answered = send(skill, "intent", "Hello", "name=Ann", "--attributes", attributes)
    assert answered["response"]["outputSpeech"]["ssml"] == "<speak>Hello Ann, True</speak>"
    again = send(skill, "intent", "Hello", "name=Ann", "--locale", "en-GB")
    assert again["response"]["outputSpeech"]["ssml"] == "<speak>Hello Ann, False</speak>"
    assert "outputSpeech" not in send(skill, "end")["response"]
    failed = lambent(skill.platform, "hook", "send", skill.name, "intent", "Unknown")
    assert (failed.returncode, "did not respond" in failed.stderr) == (1, True)


def test_without_a_signature(skill: Hook) -> None:
    """400, as Amazon demands."""
    assert skill.post({"request": {}}).status == 400


def test_who_may_send(platform: Platform, skill: Hook) -> None:
    """Only who created a hook for local use; and what is typed wrongly is said."""
    create(platform, f"real-{skill.name}", "alexa", "--function", skill.name, "--skill", SKILL)
    for arguments, code, message in (
        ([f"real-{skill.name}"], 1, "--local"),
        ([skill.name, "sing"], 2, "launch, intent, end"),
        ([skill.name, "intent"], 2, "name of the intent"),
        ([skill.name, "intent", "Hello", "name"], 2, "SLOT=VALUE"),
        ([skill.name, "launch", "--attributes", "{"], 2, "--attributes"),
    ):
        done = lambent(platform, "hook", "send", *arguments)
        assert done.returncode == code
        assert message in done.stderr, done.stderr
