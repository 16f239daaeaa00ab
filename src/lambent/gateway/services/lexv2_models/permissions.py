"""What each operation that builds bots needs permission for.

AWS asks for the permissions of what an operation does inside: who imports a bot creates intents,
and who exports one reads them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.control.lex.naming import alias_arn, bot_arn
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    Difference,
    Key,
    Need,
    Needs,
    Resource,
    Values,
    each,
    some,
)
from lambent.gateway.permissions.passed_roles import passing_to
from lambent.gateway.services.lexv2_models.operations import OPERATIONS

_BOTH = ("bot", "bot alias")
Find = Callable[[Asked], Awaitable[Sequence[Target]]]


def _specified(asked: Asked, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (asked.params.get("resourceSpecification") or {}).get(name) or {}
    return found


def _bot_id(asked: Asked) -> str:
    """The bot that a request is about; any bot if it does not say which."""
    named = (
        asked.params.get("botId"),
        _specified(asked, "botExportSpecification").get("botId"),
        _specified(asked, "botLocaleImportSpecification").get("botId"),
    )
    return next((each for each in named if each), "*")


async def _bot(asked: Asked) -> Sequence[Target]:
    return [Target(bot_arn(asked.scope, _bot_id(asked)), asked.scope.account)]


async def _alias(asked: Asked) -> Sequence[Target]:
    alias = asked.params.get("botAliasId", "*")
    return [Target(alias_arn(asked.scope, _bot_id(asked), alias), asked.scope.account)]


async def _by_arn(asked: Asked) -> Sequence[Target]:
    return [Target(asked.params["resourceARN"], asked.scope.account)]


def _given_tags(asked: Asked) -> Mapping[str, str]:
    params, imported = asked.params, _specified(asked, "botImportSpecification")
    names = ("botTags", "testBotAliasTags")
    found = [params.get("tags"), *(params.get(name) for name in names)]
    found += [imported.get(name) for name in names]
    return {key: value for tags in found for key, value in (tags or {}).items()}


async def _request_tags(asked: Asked) -> Values:
    tags = _given_tags(asked).items()
    return {f"aws:requesttag/{name.lower()}": [value] for name, value in tags}


async def _tag_keys(asked: Asked) -> Values:
    return some("aws:tagkeys", [*(asked.params.get("tagKeys") or ()), *_given_tags(asked)])


async def _tagged(asked: Asked) -> Sequence[Target]:
    return await _bot(asked) if _given_tags(asked) else []


async def _role(asked: Asked) -> Sequence[str]:
    given = asked.params.get("roleArn"), _specified(asked, "botImportSpecification").get("roleArn")
    return [each for each in given if each]


async def _about_bot(asked: Asked) -> Values:
    return {"iam:associatedresourcearn": [bot_arn(asked.scope, _bot_id(asked))]}


_TAGS = (Key("aws:RequestTag/${TagKey}", _request_tags), Key("aws:TagKeys", _tag_keys))
_BOT, _ALIAS = Resource(("bot",), _bot), Resource(("bot alias",), _alias)
_BOT_AND_ALIAS, _BY_ARN = Resource(_BOTH, _bot), Resource(_BOTH, _by_arn)
_PASSING = passing_to("lexv2.amazonaws.com", _role, _about_bot)
_TAGGING = Need("lex:TagResource", Resource(_BOTH, _tagged), _TAGS)
_OF_ALIASES = ("DescribeBotAlias", "UpdateBotAlias", "DeleteBotAlias")
_OF_NOTHING = ("ListBots", "CreateUploadUrl", "ListImports", "ListExports")
_PARTS = ("BotLocale", "Intent", "Slot", "SlotType")


def _all(verb: str, *nouns: str) -> Needs:
    """The same permission for several kinds of things in a bot."""
    return tuple(Need(f"lex:{verb}{noun}", _BOT) for noun in nouns)


_DESCRIBES = (Need("lex:DescribeBotVersion", _BOT), Need("lex:DescribeBotAlias", _ALIAS))
PERMISSIONS: Mapping[str, Needs] = {
    **each("lex", tuple(OPERATIONS), _BOT),
    **each("lex", _OF_NOTHING, NOTHING),
    **each("lex", _OF_ALIASES, _ALIAS),
    **each("lex", ("TagResource", "UntagResource"), _BY_ARN, *_TAGS),
    **each("lex", ("ListTagsForResource",), _BY_ARN),
    "CreateBot": (Need("lex:CreateBot", _BOT_AND_ALIAS, _TAGS), *_DESCRIBES, _TAGGING, _PASSING),
    "UpdateBot": (Need("lex:UpdateBot", _BOT), *_DESCRIBES, _PASSING),
    "DescribeBot": (Need("lex:DescribeBot", _BOT), *_DESCRIBES),
    "DescribeBotVersion": _DESCRIBES,
    "CreateBotAlias": (Need("lex:CreateBotAlias", _ALIAS, _TAGS), _TAGGING),
    "DeleteBot": (
        Need("lex:DeleteBot", _BOT_AND_ALIAS),
        Need("lex:DeleteBotAlias", _ALIAS),
        *_all("Delete", "BotVersion", *_PARTS),
    ),
    "DeleteBotLocale": _all("Delete", *_PARTS),
    "DescribeExport": (
        *_all("Describe", "Export", "Bot", *_PARTS),
        *_all("List", "BotLocales", "Intents", "Slots", "SlotTypes"),
    ),
    "StartImport": (
        Need("lex:StartImport", _BOT_AND_ALIAS, _TAGS),
        Need("lex:CreateBot", _BOT_AND_ALIAS, _TAGS),
        *_all("Create", *_PARTS),
        *_all("Update", "Bot", *_PARTS),
        *_all("Delete", *_PARTS),
        _TAGGING,
        _PASSING,
    ),
}
_NOT_OFFERED = "Lambent does not offer this kind of resource."
DIFFERENCES: tuple[Difference, ...] = (
    *(
        Difference(f"action lex:{name}", False, _NOT_OFFERED)
        for name in (
            *("DeleteBotChannel", "DeleteResourcePolicy", "CreateCustomVocabulary"),
            *("UpdateCustomVocabulary", "DeleteCustomVocabulary", "DescribeCustomVocabulary"),
            *("CreateTestSet", "UpdateTestSet", "DescribeTestSet"),
        )
    ),
    Difference("resource test set", False, _NOT_OFFERED),
)
RESOURCE_NAMES = (
    ("bot", "`arn:aws:lex:REGION:ACCOUNT:bot/BOT`"),
    ("bot alias", "`arn:aws:lex:REGION:ACCOUNT:bot-alias/BOT/ALIAS`"),
)
