"""Hooks: their pages, and the way in for their callers."""

from collections.abc import Mapping
from typing import Any

from lambent.assembly.api import Api
from lambent.assembly.apis import Apis
from lambent.assembly.events import Events
from lambent.assembly.storage import Storage
from lambent.aws.clients import trusted_by_default
from lambent.control.hooks import Hooks, open_sealing
from lambent.gateway.fronts import Front
from lambent.gateway.hooks_api import PATHS, HooksApi
from lambent.model.arn import Scope
from lambent.model.hooks.hook import BODY_BYTES_MAX, PATH_PREFIX
from lambent.triggers.hooks.delivery import Delivery
from lambent.triggers.hooks.directory import HookDirectory
from lambent.triggers.hooks.room import make_front


async def register_hooks(storage: Storage, api: Api, events: Events, apis: Apis) -> None:
    """Serve hooks."""
    clock, tasks, aws = storage.clock, storage.tasks, events.aws_calls

    async def put_events(scope: Scope, params: Mapping[str, Any]) -> Mapping[str, Any]:
        result: Mapping[str, Any] = await aws.call(
            "events", "PutEvents", params, region=scope.region, account=scope.account
        )
        return result

    hooks = Hooks(storage.store, await open_sealing(storage.store), clock)
    directory = HookDirectory(hooks.load, clock)
    await storage.store.follow(directory)
    delivery = Delivery(apis.context.calls, put_events)
    fetch = apis.context.outbound.fetch
    front = make_front(
        *(directory, delivery, clock, tasks, storage.peers),
        fetch=fetch,
        roots=trusted_by_default(),
    )
    pages = HooksApi(api.authorizer, hooks, delivery.check, front.observe, tasks)
    fronts = api.gateway.fronts
    for path in PATHS:
        fronts.add_path(path, Front(handle=pages.handle))
    fronts.add_path(
        PATH_PREFIX,
        Front(
            handle=front.handle,
            oversized=front.handle_oversized,
            body_bytes_max=BODY_BYTES_MAX,
            is_open=True,
            has_own_names=True,
        ),
    )
