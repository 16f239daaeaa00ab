"""Use cases of conversations.

https://docs.aws.amazon.com/lexv2/latest/APIReference/API_Operations_Amazon_Lex_Runtime_V2.html
"""

import datetime
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from lambent.control.lex.aliases import function_of, is_enabled
from lambent.control.lex.code_hooks import CodeHooks, Talk, interpretations
from lambent.control.lex.dialog import Dialog
from lambent.control.lex.hearing import hear
from lambent.control.lex.locales import Locales, require_version, runnable
from lambent.control.lex.naming import (
    ALIAS,
    Params,
    alias_arn,
    invalid,
    missing,
    require,
    require_bot,
    root_of,
)
from lambent.control.lex.ports import Heard, HookFailed, Understand
from lambent.control.lex.steps import CONTINUE, END, HookUnusable, Step
from lambent.kit.clock import Clock
from lambent.kit.ids import new_request_id
from lambent.model.arn import Scope
from lambent.model.document import Document
from lambent.model.errors import ApiError
from lambent.model.lex.locale import Locale
from lambent.model.lex.messages import Choose
from lambent.model.lex.session import Session
from lambent.model.lex.values import Context
from lambent.store.lex_sessions import SessionKey, StoredSession
from lambent.store.store import Store, Transaction

_ATTRIBUTES_BYTES_MAX = 50_000


class _Opened(NamedTuple):
    """What a request is about."""

    key: SessionKey
    bot: Document
    alias: Document
    version: str
    idle_s: int
    runs: Document
    stored: StoredSession | None


class Conversations:
    """See the module. All use cases raise `ApiError`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        locales: Locales,
        understand: Understand,
        hooks: CodeHooks,
        choose: Choose,
    ) -> None:
        self._store = store
        self._clock = clock
        self._locales = locales
        self._understand = understand
        self._hooks = hooks
        self._choose = choose
        self._busy: set[SessionKey] = set()

    async def recognize_text(self, scope: Scope, params: Params) -> Params:
        """RecognizeText."""
        with self._alone(scope, params) as key:
            opened = await self._open(key)
            compiled = await self._locales.compiled(opened.runs)
            session, now = _session_of(opened), self._clock.now()
            session.drop_contexts(now)
            _apply(session, compiled.locale, params.get("sessionState") or {}, now)
            dialog = self._dialog(compiled.locale, session, params)
            active = [each["name"] for each in session.contexts]
            heard = await self._understand(
                *(compiled.locale.id, compiled.document, params["text"]),
                today=dialog.context.today.isoformat(),
                contexts=active,
                slot=_elicited(session),
            )
            self._bind(dialog, opened, params, heard)
            await _run(partial(_turn, dialog, params["text"], heard))
            session.count_turn(active)
            return await self._end(opened, dialog, heard)

    async def put_session(self, scope: Scope, params: Params) -> Params:
        """PutSession: begin a conversation in a state. Returns what RecognizeText does."""
        with self._alone(scope, params) as key:
            opened = await self._open(key)
            compiled = await self._locales.compiled(opened.runs)
            session, now = Session(), self._clock.now()
            session.originating_request_id = new_request_id()
            state = params["sessionState"]
            _apply(session, compiled.locale, state, now)
            dialog = self._dialog(compiled.locale, session, params)
            self._bind(dialog, opened, params, Heard())
            dialog.add([dict(each) for each in params.get("messages") or ()])
            action = state.get("dialogAction")
            if action is not None and action["type"] != "None":
                step = _asked(session, compiled.locale, action, bool(dialog.messages))
                await _run(partial(dialog.run, step))
            return await self._end(opened, dialog, Heard())

    async def get_session(self, scope: Scope, params: Params) -> Params:
        """GetSession."""
        opened = await self._open(_key(scope, params))
        if opened.stored is None:
            raise missing("The session", opened.key.id)
        session = _session_of(opened)
        session.drop_contexts(self._clock.now())
        return {
            "sessionId": opened.key.id,
            "messages": session.messages,
            "interpretations": session.interpretations,
            "sessionState": session.state(self._clock.now()),
        }

    async def delete_session(self, scope: Scope, params: Params) -> Params:
        """DeleteSession."""
        with self._alone(scope, params) as key:
            opened = await self._open(key)
            if opened.stored is None:
                raise missing("The session", key.id)
            await self._store.transact(lambda tx: tx.lex_sessions.delete(key))
        names = ("botId", "botAliasId", "localeId", "sessionId")
        return {name: params[name] for name in names}

    @contextmanager
    def _alone(self, scope: Scope, params: Params) -> Iterator[SessionKey]:
        """One request of a conversation at a time, as in AWS."""
        key = _key(scope, params)
        if key in self._busy:
            raise _conflict()
        self._busy.add(key)
        try:
            yield key
        finally:
            self._busy.discard(key)

    async def _open(self, key: SessionKey) -> _Opened:
        now = self._clock.now()

        def run(tx: Transaction) -> _Opened:
            scope = key.root.scope
            bot = require_bot(tx, scope, key.root.id)
            alias = require(tx, key.root, ALIAS, key.alias, "The alias")
            version = alias.body.get("botVersion")
            if version is None:
                raise invalid(f"The alias {key.alias} has no version.")
            if not is_enabled(alias, key.locale):
                raise missing(f"The alias {key.alias} has no enabled locale;", key.locale)
            body = require_version(tx, scope, bot.id, version).body
            runs = runnable(tx, scope, bot.id, version, key.locale)
            stored = tx.lex_sessions.get(key, now)
            idle_s = int(body["idleSessionTTLInSeconds"])
            return _Opened(key, bot, alias, version, idle_s, runs, stored)

        return await self._store.read(run)

    def _dialog(self, locale: Locale, session: Session, params: Params) -> Dialog:
        now = self._clock.now()
        today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
        context = Context(today, locale.id)
        attributes: Mapping[str, str] = params.get("requestAttributes") or {}
        return Dialog(locale, session, context, now, self._choose, attributes)

    def _bind(self, dialog: Dialog, opened: _Opened, params: Params, heard: Heard) -> None:
        """Have a turn call the function of the alias."""
        key, alias = opened.key, opened.alias
        talk = Talk(
            scope=key.root.scope,
            alias_arn=alias_arn(key.root.scope, key.root.id, key.alias),
            function=function_of(alias, key.locale),
            bot={
                **{"id": key.root.id, "name": opened.bot.body["botName"]},
                **{"aliasId": key.alias, "aliasName": alias.body["botAliasName"]},
                **{"localeId": key.locale, "version": opened.version},
            },
            session_id=key.id,
            text=params.get("text", ""),
            intents=heard.intents,
        )
        dialog.call = partial(self._hooks.call, talk)

    async def _end(self, opened: _Opened, dialog: Dialog, heard: Heard) -> Params:
        """Keep the conversation and return what the client gets."""
        session, now = dialog.session, self._clock.now()
        session.messages = list(dialog.messages)
        session.interpretations = list(interpretations(dialog, heard.intents))
        if sum(len(key) + len(text) for key, text in session.attributes.items()) > (
            _ATTRIBUTES_BYTES_MAX
        ):
            raise invalid(f"Session attributes have at most {_ATTRIBUTES_BYTES_MAX} characters.")
        key, turns = opened.key, 0 if opened.stored is None else opened.stored.turns
        document, ends_at = session.document(), now + opened.idle_s

        def run(tx: Transaction) -> None:
            tx.locks.root(key.root._replace(id=f"{key.root.id}/{key.id}"))
            present = tx.lex_sessions.get(key, now)
            if (0 if present is None else present.turns) != turns:
                raise _conflict()
            tx.lex_sessions.put(key, document, turns=turns + 1, now=now, ends_at=ends_at)

        await self._store.transact(run)
        return {
            "messages": session.messages,
            "sessionState": session.state(now),
            "interpretations": session.interpretations,
            "requestAttributes": dialog.request_attributes,
            "sessionId": key.id,
        }


def _key(scope: Scope, params: Params) -> SessionKey:
    root = root_of(scope, params["botId"])
    return SessionKey(root, params["botAliasId"], params["localeId"], params["sessionId"])


def _conflict() -> ApiError:
    return ApiError(
        "ConflictException", "Another request of this session is being served.", status=409
    )


def _session_of(opened: _Opened) -> Session:
    if opened.stored is None:
        return Session(originating_request_id=new_request_id())
    return Session.of(opened.stored.document)


def _elicited(session: Session) -> tuple[str, str] | None:
    slot = (session.action or {}).get("slotToElicit")
    if session.intent is None or not slot:
        return None
    return session.intent["name"], slot


async def _turn(dialog: Dialog, text: str, heard: Heard) -> None:
    step = await hear(dialog, text, heard)
    if step is not None:
        await dialog.run(step)


async def _run(turn: Callable[[], Awaitable[None]]) -> None:
    """A turn, whose failures of functions are the client's to see."""
    try:
        await turn()
    except (HookFailed, HookUnusable) as error:
        raise ApiError("DependencyFailedException", str(error), status=424) from None


def _apply(session: Session, locale: Locale, state: Params, now: float) -> None:
    """Take over what a client says about the state of a conversation."""
    if "sessionAttributes" in state:
        session.attributes = dict(state["sessionAttributes"])
    if "activeContexts" in state:
        session.set_contexts(state["activeContexts"], now)
    if "runtimeHints" in state:
        session.hints = state["runtimeHints"]
    if "originatingRequestId" in state:
        session.originating_request_id = state["originatingRequestId"]
    if (given := state.get("intent")) is not None:
        definition = locale.intents.get(given["name"])
        if definition is None:
            raise invalid(f"The bot has no intent {given['name']}.")
        for name in given.get("slots") or {}:
            if name not in definition.slots:
                raise invalid(f"The intent {given['name']} has no slot {name}.")
        session.intent = {
            "name": given["name"],
            "slots": {**dict.fromkeys(definition.slots), **(given.get("slots") or {})},
            "state": given.get("state", "InProgress"),
            "confirmationState": given.get("confirmationState", "None"),
        }
    action = state.get("dialogAction")
    if action is not None and action["type"] in ("ElicitSlot", "ConfirmIntent", "ElicitIntent"):
        session.attempt = 0
        session.action = {name: action[name] for name in ("type", "slotToElicit") if name in action}


def _asked(session: Session, locale: Locale, action: Params, is_silent: bool) -> Step:
    """The step that a client asks for."""
    kind = action["type"]
    if kind == "ElicitIntent":
        return Step(kind)
    if kind == "Close":
        return END
    if session.intent is None:
        raise invalid(f"dialogAction {kind} needs an intent.")
    if kind == "Delegate":
        return CONTINUE
    slot = action.get("slotToElicit", "")
    if kind == "ElicitSlot" and slot not in locale.intents[session.intent["name"]].slots:
        raise invalid("dialogAction ElicitSlot needs slotToElicit, the name of a slot.")
    return Step(kind, slot, is_silent, is_forced=True)
