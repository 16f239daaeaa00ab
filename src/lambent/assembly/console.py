"""The console: pages for a browser."""

from collections.abc import Awaitable, Callable, Mapping

from lambent.assembly.api import Api
from lambent.assembly.storage import Storage
from lambent.console.front import Call, ConsoleFront
from lambent.console.origins import Origins
from lambent.console.sessions import Sessions
from lambent.console.settings import PAGE, PREFIX
from lambent.gateway.fronts import Front
from lambent.gateway.registry import SERVICES
from lambent.kit.tasks import start_loop
from lambent.model.limits import REQUEST_BYTES_MAX
from lambent.model.principal import root_of
from lambent.settings import Settings

_FOREIGN = frozenset({"dynamodb", "kinesis", "sns", "sqs", "stepfunctions"})
"""Services of the emulator or of configured endpoints that pages show."""


def register_console(
    settings: Settings, url: str, storage: Storage, api: Api, call: Call
) -> Callable[[], Awaitable[Mapping[str, object]]]:
    """Serve the console, if it is enabled. Returns the operation that makes its address for the
    operator, on a strict platform with a code that signs in."""
    is_strict = api.authorizer.is_strict
    sessions = None
    if is_strict:
        sessions = Sessions(api.keyring, storage.clock, settings.console, storage.peers)
        if storage.membership is not None:
            start_loop(storage.tasks, storage.clock, sessions.run)
    if settings.has_console:
        origins = Origins(settings.console.allowed_hosts, is_strict=is_strict)
        console = ConsoleFront(
            origins,
            sessions,
            call,
            _FOREIGN | {service.name for service in SERVICES},
            api.gateway.handle,
            storage.tasks,
            home=api.home,
        )
        front = Front(
            handle=console.handle, body_bytes_max=REQUEST_BYTES_MAX, screen=console.screen
        )
        for path in (PREFIX, PAGE):
            api.gateway.fronts.add_path(path, front)
        api.gateway.guard_origins(front, origins.accepts)

    async def link() -> Mapping[str, object]:
        if not settings.has_console:
            return {"url": None}
        code = ""
        if sessions is not None:
            code = f"#sign-in={sessions.make_link(root_of(api.home.account))}"
            await sessions.tell()
        return {"url": f"{url}{PAGE}{code}"}

    return link
