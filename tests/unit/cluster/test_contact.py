"""What nodes say to each other, and what strangers can learn and claim."""

import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiohttp import web

from lambent.cluster.contact import PATH, Contact, open_contact
from lambent.kit.clock import ManualClock
from lambent.kit.http.messages import Exchange
from lambent.model.nodes import PROTOCOL, Node
from lambent.store.membership import Membership
from tests.servers.processes import free_port
from tests.unit.model.test_nodes import NODE

pytestmark = pytest.mark.anyio
SECRET = b"of one database"
GOOD = "protocol=1&node=1&nonce=" + "0" * 32


class Told:
    """A membership that notes what it learns."""

    def __init__(self, number: int, away_s: float, nodes: Sequence[Node] = ()) -> None:
        self.number = number
        self.away_s = away_s
        self.nodes = nodes
        self.counts: list[int] = []

    def note_company(self, count: int) -> None:
        self.counts.append(count)


@dataclasses.dataclass
class Asked:
    """A request, and its response."""

    method: str
    query: str
    status: int = 0
    body: bytes = b""

    def respond(self, status: int, _: object, body: bytes) -> None:
        self.status, self.body = status, body


def handle(contact: Contact, query: str, method: str = "GET") -> Asked:
    """Have a request served."""
    asked = Asked(method, query)
    contact.handle(cast(Exchange, asked))
    return asked


@asynccontextmanager
async def served(contact: Contact, spoil: bytes | None = None) -> AsyncIterator[str]:
    """The URL of a server for a contact; with `spoil`, one that responds with that."""

    async def respond(request: web.Request) -> web.Response:
        asked = handle(contact, request.query_string)
        return web.Response(status=asked.status, body=spoil or asked.body)

    app = web.Application()
    app.router.add_get(PATH, respond)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def at(url: str, number: int, host: str = socket.gethostname()) -> Node:
    """A node with this URL."""
    return dataclasses.replace(NODE, url=url, number=number, host=host)


def contact_of(membership: Told, session: Any, secret: bytes = SECRET) -> Contact:
    return Contact(cast(Membership, membership), secret, session, ManualClock())


@pytest.mark.parametrize(
    ("secret", "away_s", "is_suspect", "spoil", "counts"),
    [
        (SECRET, 7.5, False, None, True),
        (SECRET, 7.5, True, None, False),
        (SECRET, 7.5, None, None, False),
        (SECRET, 0.0, False, None, False),
        (b"of another database", 7.5, False, None, False),
        (SECRET, 7.5, False, b'{"node": 2, "away_s": 7.5, "knows": true, "proof": "0"}', False),
        (SECRET, 7.5, False, b'{"node": 2, "away_s": NaN, "knows": 1, "proof": null}', False),
        (SECRET, 7.5, False, b"[" * 4000, False),
        (SECRET, 7.5, False, b'"text"', False),
    ],
)
async def test_who_is_without_the_database(
    secret: bytes, away_s: float, is_suspect: bool | None, spoil: bytes | None, counts: bool
) -> None:
    """Only a node of the same database counts, and only if it has nothing against this one."""
    known = (
        [] if is_suspect is None else [dataclasses.replace(NODE, number=1, is_suspect=is_suspect)]
    )
    other = contact_of(Told(2, away_s, known), None, secret)
    async with served(other, spoil) as url:
        membership = Told(1, 3.0, [at("", 1), at(url, 2), at("http://127.0.0.1:1", 3)])
        async with open_contact(cast(Membership, membership), SECRET, ManualClock()) as contact:
            found = await contact._ask_all()
    assert sorted(found) == sorted([False, counts])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "node=1",
        "node=1&nonce=" + "0" * 32,
        "protocol=1&node=1&nonce=zz",
        "protocol=1&node=1&nonce=" + "0" * 33,
        "protocol=1&node=x&nonce=" + "0" * 32,
        "protocol=0&node=1&nonce=" + "0" * 32,
        f"protocol={PROTOCOL + 1}&node=1&nonce=" + "0" * 32,
    ],
)
def test_bad_requests_are_refused(query: str) -> None:
    assert handle(contact_of(Told(1, 0), None), query).status == 400
    assert handle(contact_of(Told(1, 0), None), GOOD, "POST").status == 400


def test_a_stranger_learns_no_more_than_a_number() -> None:
    asked = handle(contact_of(Told(1, 0.25), None), GOOD)
    document = json.loads(asked.body)
    assert document.keys() == {"node", "away_s", "knows", "proof"}
    assert (document["node"], document["away_s"]) == (1, 0.25)
    assert SECRET.decode() not in asked.body.decode()


async def test_a_process_that_ended_refuses_connections() -> None:
    """A port of this machine says nothing about another machine."""
    contact = contact_of(Told(1, 0), None)
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        alive = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert not await contact.has_ended(at(alive, 2))
    assert await contact.has_ended(at(f"http://127.0.0.1:{port}", 2))
    assert not await contact.has_ended(at(f"http://127.0.0.1:{port}", 2, host="another"))
    assert not await contact.has_ended(at("", 2))
