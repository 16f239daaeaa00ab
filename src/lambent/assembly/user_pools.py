"""Cognito's user pools: their use cases, what they call outside, and the documents with their
keys."""

from lambent.assembly.api import Api
from lambent.assembly.events import Events
from lambent.assembly.execution import Execution
from lambent.assembly.storage import Storage
from lambent.control.cognito.room import open_user_pools
from lambent.gateway.fronts import Front
from lambent.gateway.services.cognito_idp.service import COGNITO_IDP
from lambent.kit.tasks import start_loop
from lambent.settings import Settings
from lambent.triggers.user_pools.data_keys import DataKeys
from lambent.triggers.user_pools.documents import PATHS, Jwks, PoolDocuments
from lambent.triggers.user_pools.functions import PoolFunctions
from lambent.triggers.user_pools.mail import SmtpMail


async def register_user_pools(
    settings: Settings, storage: Storage, api: Api, execution: Execution, events: Events
) -> Jwks | None:
    """Register the operations and the documents; returns what finds the keys of pools. None, and
    nothing is registered, if another server serves user pools."""
    if COGNITO_IDP.signing_name not in api.gateway.signing_names:
        return None
    functions = PoolFunctions(execution.invoker, events.queue, api.authorizer)
    mail = SmtpMail(settings.cognito, storage.tasks)
    pools = await open_user_pools(
        *(storage.store, storage.clock, functions, functions.enqueue),
        *(DataKeys(events.aws_calls), mail, storage.peers),
    )
    if storage.membership is not None:
        start_loop(storage.tasks, storage.clock, pools.attempts.run)
    api.gateway.register(COGNITO_IDP, COGNITO_IDP.bind(pools))
    documents = PoolDocuments(pools.keys.jwks, storage.tasks)
    # Everyone may read them, so by which name does not matter.
    front = Front(handle=documents.handle, has_own_names=True)
    api.gateway.fronts.add_pattern("/", PATHS, front)
    return pools.keys.jwks
