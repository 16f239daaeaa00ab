"""Names, documents and errors of bots.

A bot is a root. Its documents are the bot itself, versions, aliases, and locales; a locale has its
intents, slots and slot types in it, because it is built, copied and read as a whole. A locale of
the draft is there twice: as it is edited, and as it was built.
"""

import datetime
import secrets
import string
from collections.abc import Mapping
from typing import Any

from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Transaction

Params = Mapping[str, Any]
SERVICE = "lex"
BOT, VERSION, ALIAS, LOCALE = "bot", "version", "alias", "locale"
IMPORT, EXPORT = "import", "export"
DRAFT, BUILT = "DRAFT", "BUILT"
TEST_ALIAS = "TSTALIASID"
_LETTERS = string.ascii_uppercase + string.digits
LOCALE_NAMES = {
    **{"ca_ES": "Catalan (Spain)", "de_AT": "German (Austria)", "de_DE": "German (Germany)"},
    **{"en_AU": "English (Australia)", "en_CA": "English (Canada)", "en_GB": "English (UK)"},
    **{"en_IN": "English (India)", "en_US": "English (US)", "en_ZA": "English (South Africa)"},
    **{"es_419": "Spanish (Latin America)", "es_ES": "Spanish (Spain)", "es_US": "Spanish (US)"},
    **{"fr_CA": "French (Canada)", "fr_FR": "French (France)", "fi_FI": "Finnish (Finland)"},
    **{"hi_IN": "Hindi (India)", "it_IT": "Italian (Italy)", "ja_JP": "Japanese (Japan)"},
    **{"ko_KR": "Korean (Korea)", "nl_NL": "Dutch (The Netherlands)", "no_NO": "Norwegian"},
    **{"pl_PL": "Polish (Poland)", "pt_BR": "Portuguese (Brazil)", "zh_CN": "Mandarin (PRC)"},
    **{"pt_PT": "Portuguese (Portugal)", "sv_SE": "Swedish (Sweden)", "zh_HK": "Cantonese (HK)"},
}


def new_id() -> str:
    """An id of a bot or of a part of it."""
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def root_of(scope: Scope, bot: str) -> Root:
    """The root of a bot; of imports and exports without one."""
    return Root(SERVICE, scope.account, scope.region, bot)


def bot_arn(scope: Scope, bot: str) -> str:
    """The ARN of a bot."""
    return f"arn:aws:lex:{scope.region}:{scope.account}:bot/{bot}"


def alias_arn(scope: Scope, bot: str, alias: str) -> str:
    """The ARN of an alias: what policies of functions name."""
    return f"arn:aws:lex:{scope.region}:{scope.account}:bot-alias/{bot}/{alias}"


def locale_id(version: str, locale: str) -> str:
    """The id of a locale's document."""
    return f"{version}/{locale}"


def tagged(scope: Scope, arn: str) -> tuple[Root, str, str]:
    """The document that has the tags of a bot or an alias: its root, kind and id."""
    found = Arn.try_parse(arn)
    parts = [] if found is None else found.resource.split("/")
    if found is not None and (found.service, found.account, found.region) == (SERVICE, *scope):
        if len(parts) == 2 and parts[0] == "bot":
            return root_of(scope, parts[1]), BOT, parts[1]
        if len(parts) == 3 and parts[0] == "bot-alias":
            return root_of(scope, parts[1]), ALIAS, parts[2]
    raise invalid(f"{arn} is not the ARN of a bot or an alias of this account and Region.")


def moment(seconds: float) -> datetime.datetime:
    """A time as the API shows it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def invalid(message: str) -> ApiError:
    """A request that cannot be served as it is."""
    return ApiError("ValidationException", message, status=400)


def precondition(message: str) -> ApiError:
    """A request that must wait for another one."""
    return ApiError("PreconditionFailedException", message, status=412)


def quota(message: str) -> ApiError:
    """A request for more than there may be."""
    return ApiError("ServiceQuotaExceededException", message, status=402)


def missing(noun: str, id: str) -> ApiError:
    """A thing that does not exist."""
    return ApiError("ResourceNotFoundException", f"{noun} {id} not found.", status=404)


def require(tx: Transaction, root: Root, kind: str, id: str, noun: str) -> Document:
    """A document. Raises `ResourceNotFoundException`."""
    found = tx.documents.get(root, kind, id)
    if found is None:
        raise missing(noun, id)
    return found


def require_bot(tx: Transaction, scope: Scope, bot: str) -> Document:
    """A bot. Raises `ResourceNotFoundException`."""
    return require(tx, root_of(scope, bot), BOT, bot, "The bot")


def shown(body: Body) -> dict[str, Any]:
    """The members of a document that are the API's, whose names begin with `_` in no case."""
    return {name: value for name, value in body.items() if not name.startswith("_")}


def times(body: Body) -> dict[str, Any]:
    """When a thing was made and changed."""
    return {
        "creationDateTime": moment(body["_created"]),
        "lastUpdatedDateTime": moment(body["_changed"]),
    }
