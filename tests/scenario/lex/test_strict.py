"""Bots of a strict platform: who may talk, and which functions a bot may call."""

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.exported_bot import boats
from tests.platforms import ACCOUNT, deploy
from tests.scenario.test_identity import Strict, strict

from .conftest import Bot, import_bot, texts

__all__ = ["strict"]

CLOSES = """
def handler(event, context):
    intent = {**event["sessionState"]["intent"], "state": "Fulfilled"}
    said = [{"contentType": "PlainText", "content": "done"}]
    return {"sessionState": {"dialogAction": {"type": "Close"}, "intent": intent}, "messages": said}
"""


@dataclasses.dataclass(frozen=True)
class Rooted:
    """A platform whose clients are root's."""

    strict: Strict

    def client(self, service: str) -> Any:
        return self.strict.client(service)


@pytest.fixture(scope="module")
def bots(strict: Strict) -> tuple[Bot, Bot]:
    """Two bots with one function."""
    arn = deploy(strict.client("lambda"), "lex-guarded", {"app.py": CLOSES})["FunctionArn"]
    rooted: Any = Rooted(strict)
    data = boats(dialogCodeHook={"enabled": True})
    first, second = (import_bot(rooted, data, name) for name in ("allowed", "other"))
    for bot in (first, second):
        bot.attach(arn)
    return first, second


def test_a_function_names_the_alias(strict: Strict, bots: tuple[Bot, Bot]) -> None:
    """A bot calls a function whose policy names its alias; another bot cannot use that."""
    allowed, other = bots
    failure = allowed.runtime.exceptions.DependencyFailedException
    with pytest.raises(failure, match="Access denied while invoking lambda function"):
        allowed.say("s1", "rent a boat")
    strict.client("lambda").add_permission(
        FunctionName="lex-guarded",
        StatementId="bot",
        Action="lambda:InvokeFunction",
        Principal="lexv2.amazonaws.com",
        SourceArn=f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/{allowed.id}/TSTALIASID",
    )
    assert texts(allowed.say("s1", "rent a boat")) == ["done"]
    with pytest.raises(failure, match="Access denied"):
        other.say("s1", "rent a boat")


def test_a_user_talks_to_the_bots_of_the_policy(strict: Strict, bots: tuple[Bot, Bot]) -> None:
    """And does nothing else with them."""
    allowed, other = bots
    alias = f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/{allowed.id}/TSTALIASID"
    statement = {"Effect": "Allow", "Action": "lex:RecognizeText", "Resource": alias}
    keys = strict.user("talker", statement)
    runtime, models = strict.client("lexv2-runtime", **keys), strict.client("lexv2-models", **keys)
    talking = dataclasses.replace(allowed, runtime=runtime)
    assert texts(talking.say("s2", "help")) == ["Say: rent a boat."]
    place = {"botAliasId": "TSTALIASID", "localeId": "en_US", "sessionId": "s2"}
    for call in (
        lambda: dataclasses.replace(other, runtime=runtime).say("s2", "help"),
        lambda: runtime.get_session(botId=allowed.id, **place),
        lambda: models.describe_bot(botId=allowed.id),
        models.list_bots,
        models.create_upload_url,
        lambda: models.start_import(
            importId="AAAAAAAAAA",
            mergeStrategy="Overwrite",
            resourceSpecification={
                "botImportSpecification": {
                    **{"botName": "b", "dataPrivacy": {"childDirected": False}},
                    "roleArn": f"arn:aws:iam::{ACCOUNT}:role/lambda-role",
                }
            },
        ),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    for client in (runtime, models):
        client.close()
