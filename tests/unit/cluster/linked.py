"""Two ends of a link over a real connection."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from socket import AF_UNIX, create_server, socket

import anyio

from lambent.cluster.call_frames import NodeLoad
from lambent.cluster.calling import CallingLink, dial
from lambent.cluster.link_server import LinkServer
from lambent.kit.clock import SystemClock
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.kit.tasks import start_part
from lambent.model.invocation import InvocationKind, InvocationRequest, Outcome, Reply, RunReport
from tests.unit.invocation.versions import version_of

SECRET = b"of one database"
CALLER, CALLEE = 1, 2


class Taken:
    """Takes what comes up from a call."""

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.outcome: Outcome | None = None
        self.report: RunReport | None = None
        self.content_type = ""
        self.streamed = bytearray()
        self.is_behind = False
        self.resume: Callable[[], None] = lambda: None

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        self.content_type = content_type
        self.resume = resume

    def write(self, data: bytes) -> bool:
        self.streamed += data
        return not self.is_behind

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        assert not self.ended.is_set()
        self.outcome, self.report = outcome, report
        self.ended.set()

    async def wait(self) -> Outcome:
        """The outcome."""
        with anyio.fail_after(20):
            await self.ended.wait()
        assert self.outcome is not None
        return self.outcome


class Callee:
    """A node that takes calls; a test says what becomes of them."""

    def __init__(self) -> None:
        self.calls: list[tuple[InvocationRequest, Reply]] = []
        self.on_call: Callable[[InvocationRequest, Reply], None] = lambda *_: None
        self.running = 0
        self.url = ""
        self.http: HttpServer
        self.links: LinkServer

    def run(self, request: InvocationRequest, reply: Reply) -> None:
        self.calls.append((request, reply))
        self.on_call(request, reply)

    async def wait_calls(self, number: int) -> None:
        """Wait until so many have come."""
        await until(lambda: len(self.calls) >= number)

    async def dial(self, *, secret: bytes = SECRET, callee: int = CALLEE) -> CallingLink:
        """A link to it."""
        return await dial(self.url, CALLER, callee, secret, SystemClock())


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - it comes over a connection
            await anyio.sleep(0.002)


@asynccontextmanager
async def callee(
    *, certificate: Path | None = None, unix: Path | None = None
) -> AsyncIterator[Callee]:
    """A node that takes calls: over TCP, TLS, or a unix socket."""
    made = Callee()
    clock = SystemClock()
    made.links = LinkServer(CALLEE, SECRET, lambda: NodeLoad(made.running, 4), clock)
    made.links.run = made.run
    made.http = HttpServer(made.links.handle, HttpLimits())
    async with anyio.create_task_group() as tasks:
        start_part(tasks, made.links.tell_load)
        if unix is not None:
            listening = socket(AF_UNIX)
            listening.bind(str(unix))
            listening.listen()
            made.url = f"unix:{unix}"
            await made.http.start(listening)
        else:
            listening = create_server(("127.0.0.1", 0))
            scheme = "http" if certificate is None else "https"
            made.url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
            if certificate is None:
                await made.http.start(listening)
            else:
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                tls.load_cert_chain(certificate)
                made.http.start_tls(listening, tls, tasks)
        try:
            yield made
        finally:
            await made.http.close()
            tasks.cancel_scope.cancel()


def request(
    event: bytes = b"{}", *, name: str = "f", wants_stream: bool = False, **more: str
) -> InvocationRequest:
    """A call of a function."""
    return InvocationRequest(
        request_id="r",
        kind=InvocationKind.REQUEST_RESPONSE,
        function=version_of(name),
        event=event,
        wants_stream=wants_stream,
        **more,
    )
