"""Bots on a platform."""

import dataclasses
import functools
import time
import urllib.request
from typing import Any

from tests.exported_bot import ROLE
from tests.platforms import Platform


@dataclasses.dataclass(frozen=True)
class Bot:
    """A bot that was imported, and the clients of it."""

    models: Any
    runtime: Any
    id: str
    alias: str = "TSTALIASID"
    locale: str = "en_US"

    def say(self, session: str, text: str, **more: Any) -> dict[str, Any]:
        """RecognizeText."""
        said: dict[str, Any] = self.runtime.recognize_text(
            **{"botId": self.id, "botAliasId": self.alias, "localeId": self.locale},
            **{"sessionId": session, "text": text, **more},
        )
        return said

    def attach(self, function: str) -> None:
        """Have the test alias call a function."""
        hook = {"lambdaARN": function, "codeHookInterfaceVersion": "1.0"}
        setting = {"enabled": True, "codeHookSpecification": {"lambdaCodeHook": hook}}
        self.models.update_bot_alias(
            **{"botId": self.id, "botAliasId": "TSTALIASID", "botAliasName": "TestBotAlias"},
            botAliasLocaleSettings={self.locale: setting},
        )


def texts(said: dict[str, Any]) -> list[str]:
    """What the bot says."""
    return [each["content"] for each in said["messages"]]


def upload(url: str, data: bytes) -> None:
    """Send a file to a link, as curl does."""
    request = urllib.request.Request(url, data=data, method="PUT")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def start_import(models: Any, data: bytes, name: str, **more: Any) -> dict[str, Any]:
    """Import a file; returns how it ended."""
    created = models.create_upload_url()
    upload(created["uploadUrl"], data)
    specification = {
        "botImportSpecification": {
            **{"botName": name, "roleArn": ROLE, "dataPrivacy": {"childDirected": False}},
        }
    }
    options = {"resourceSpecification": specification, "mergeStrategy": "FailOnConflict"}
    models.start_import(importId=created["importId"], **{**options, **more})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = models.describe_import(importId=created["importId"])
        if found["importStatus"] != "InProgress":
            return found
    raise AssertionError("the import does not end")


@functools.cache
def clients_of(platform: Platform) -> tuple[Any, Any]:
    """A client of each service."""
    return platform.client("lexv2-models"), platform.client("lexv2-runtime")


def import_bot(platform: Platform, data: bytes, name: str) -> Bot:
    """A bot that is imported and built."""
    models, runtime = clients_of(platform)
    found = start_import(models, data, name)
    assert found["importStatus"] == "Completed", found
    id = found["importedResourceId"]
    models.build_bot_locale(botId=id, botVersion="DRAFT", localeId="en_US")
    locale = models.describe_bot_locale(botId=id, botVersion="DRAFT", localeId="en_US")
    assert locale["botLocaleStatus"] == "Built", locale
    return Bot(models, runtime, id)
