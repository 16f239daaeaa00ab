"""The parts of user pools, put together."""

import dataclasses

from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.clients import Clients
from lambent.control.cognito.code_sending import CodeSending
from lambent.control.cognito.codes import Codes
from lambent.control.cognito.directory import Directory
from lambent.control.cognito.finishing import Finishing
from lambent.control.cognito.groups import PoolGroups
from lambent.control.cognito.keys import PoolKeys
from lambent.control.cognito.managed_users import ManagedUsers
from lambent.control.cognito.messages import Messages
from lambent.control.cognito.migration import Migration
from lambent.control.cognito.own_account import OwnAccount
from lambent.control.cognito.parts import PoolParts
from lambent.control.cognito.pools import Pools
from lambent.control.cognito.ports import CallFunction, Mail, MakeDataKey, QueueEvent
from lambent.control.cognito.recovery import Recovery
from lambent.control.cognito.refreshing import Refreshing
from lambent.control.cognito.sealing import SECRET, Sealer
from lambent.control.cognito.second_factors import SecondFactors
from lambent.control.cognito.senders import Senders
from lambent.control.cognito.sessions import Sessions
from lambent.control.cognito.sign_up import SignUp
from lambent.control.cognito.signing_in import SigningIn
from lambent.control.cognito.software_tokens import SoftwareTokens
from lambent.control.cognito.tokens import Tokens
from lambent.control.cognito.triggers import Triggers
from lambent.control.cognito.users import Users
from lambent.kit.clock import Clock
from lambent.model.peers import Peers
from lambent.store.store import Store


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UserPools:
    """All use cases."""

    pools: Pools
    clients: Clients
    parts: PoolParts
    groups: PoolGroups
    directory: Directory
    sign_up: SignUp
    signing_in: SigningIn
    refreshing: Refreshing
    recovery: Recovery
    own_account: OwnAccount
    software_tokens: SoftwareTokens
    factors: SecondFactors
    managed: ManagedUsers
    keys: PoolKeys
    attempts: Attempts


async def open_user_pools(
    store: Store,
    clock: Clock,
    call: CallFunction,
    queue: QueueEvent,
    make_key: MakeDataKey,
    mail: Mail,
    peers: Peers,
) -> UserPools:
    """Put them together. `call` calls functions of pools, `queue` those that need not respond, and
    `make_key` asks KMS."""
    secret = await store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    sealer = Sealer(secret)
    keys, users = PoolKeys(store, sealer), Users(store, clock)
    triggers, codes, attempts = Triggers(call), Codes(sealer, clock), Attempts(clock, peers)
    senders, sessions = Senders(queue, make_key), Sessions(store, clock, sealer)
    messages = Messages(triggers, senders, mail)
    tokens = Tokens(store, clock, sealer, keys, users)
    groups = PoolGroups(store, clock, sealer, users)
    sign_up = SignUp(store, users, triggers, codes, messages, attempts)
    migration = Migration(users, triggers, sign_up)
    recovery = Recovery(store, clock, users, codes, messages, attempts, sign_up, migration)
    software_tokens = SoftwareTokens(store, clock, sealer, users, tokens, attempts, sessions)
    factors = SecondFactors(
        *(store, users, tokens, codes, CodeSending(users, codes, messages), attempts, sessions),
        software_tokens,
    )
    finishing = Finishing(clock, users, triggers, tokens, groups, sessions, factors)
    refreshing = Refreshing(store, clock, tokens, finishing)
    return UserPools(
        pools=Pools(store, clock, sealer, keys, senders, messages),
        clients=Clients(store, clock, sealer),
        parts=PoolParts(store, sealer),
        groups=groups,
        directory=Directory(store, sealer, users),
        sign_up=sign_up,
        signing_in=SigningIn(
            *(store, sealer, users, triggers, attempts, migration, sessions, finishing),
            *(factors, refreshing),
        ),
        refreshing=refreshing,
        recovery=recovery,
        own_account=OwnAccount(store, clock, users, codes, messages, attempts, tokens),
        software_tokens=software_tokens,
        factors=factors,
        managed=ManagedUsers(store, clock, users, codes, messages, sign_up, recovery),
        keys=keys,
        attempts=attempts,
    )
