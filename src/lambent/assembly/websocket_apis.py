"""WebSocket APIs: clients that stay connected, and the API that manages them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from lambent.assembly.apis import Apis
from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.services.apigatewaymanagementapi.entrance import ConnectionsEntrance
from lambent.gateway.services.apigatewaymanagementapi.service import APIGATEWAYMANAGEMENTAPI
from lambent.gateway.settings import GatewaySettings
from lambent.kit.tasks import shielded, start_loop
from lambent.model.peers import Peers
from lambent.store.store import Store
from lambent.triggers.apis.websocket.connections import Connections
from lambent.triggers.apis.websocket.kind import WebSocketApis
from lambent.triggers.apis.websocket.sessions import Sessions

_SHARE = 0.75
"""The other connections of the front door remain for ordinary requests."""
_LAST_EVENTS_S = 10.0


@asynccontextmanager
async def open_websocket_apis(
    settings: GatewaySettings, store: Store, peers: Peers, dispatcher: Dispatcher, apis: Apis
) -> AsyncIterator[Sessions]:
    """Serve WebSocket APIs. On exit, the connections having been closed, wait for the last events
    about them."""
    context = apis.context
    sessions_max = int(settings.connections_max * _SHARE)
    sessions = Sessions(context.clock, sessions_max=sessions_max, node=peers.number)
    connections = Connections(sessions, peers)
    entrance = ConnectionsEntrance(dispatcher, context.authorizer, context.tasks)
    kind = WebSocketApis(apis.directory, context, sessions, entrance.handle)
    dispatcher.register(APIGATEWAYMANAGEMENTAPI, APIGATEWAYMANAGEMENTAPI.bind(connections))
    apis.directory.add_kind("WEBSOCKET", kind)
    await store.follow(sessions)
    start_loop(context.tasks, context.clock, sessions.watch, kind.has_stage)
    try:
        yield sessions
    finally:
        await shielded(partial(kind.drain, _LAST_EVENTS_S), _LAST_EVENTS_S)
