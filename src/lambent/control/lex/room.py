"""The parts of bots, put together."""

import dataclasses

from lambent.control.lex.aliases import Aliases
from lambent.control.lex.bots import Bots
from lambent.control.lex.code_hooks import CodeHooks
from lambent.control.lex.conversations import Conversations
from lambent.control.lex.importing import Read
from lambent.control.lex.locales import Locales
from lambent.control.lex.parts import Parts
from lambent.control.lex.ports import CallHook, Understand
from lambent.control.lex.transfers import SECRET, Transfers
from lambent.kit.clock import Clock
from lambent.model.lex.messages import Choose, choose_at_random
from lambent.store.store import Store


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LexBots:
    """All use cases."""

    bots: Bots
    aliases: Aliases
    locales: Locales
    parts: Parts
    transfers: Transfers
    conversations: Conversations


async def open_lex_bots(
    store: Store,
    clock: Clock,
    call: CallHook,
    understand: Understand,
    read: Read,
    choose: Choose = choose_at_random,
) -> LexBots:
    """Put them together. `call` calls functions, `understand` understands texts, and `read`
    reads what is imported as the API's model says."""
    secret = await store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    locales = Locales(store, clock)
    hooks = CodeHooks(call)
    return LexBots(
        bots=Bots(store, clock),
        aliases=Aliases(store, clock),
        locales=locales,
        parts=Parts(locales, clock),
        transfers=Transfers(store, clock, secret, read),
        conversations=Conversations(store, clock, locales, understand, hooks, choose),
    )
