"""Nodes ask each other when one of them cannot reach the database, or another one is silent.

A node without the database cannot know whether the others have removed it. They need half of all
nodes for that (see `NodeWatch`): so if most nodes are without the database and have nothing against
it, it may go on; alone it must not. And a process that has ended differs from a machine that is cut
off: its port refuses connections.

`GET /_lambent/contact?protocol=1&node=…&nonce=…` responds with how long a node has been without the
database, whether it knows the node that asks as a good one, and a proof that only nodes of the same
database can make.
"""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import anyio

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.kit.strict_json import parse_loosely
from lambent.kit.tasks import start_part
from lambent.model.nodes import PROTOCOL, Node
from lambent.store.membership import Membership

PATH = "/_lambent/contact"
SECRET = "node-contact"
"""Name of the platform's secret for the proofs."""
_LOOK_S = 0.5
_AWAY_S = 1.0
"""A node that has been without the database for so long counts as without it."""
_RESPONSE_S = 1.0
_BYTES_MAX = 4096
_NOT_A_RESPONSE = (ValueError, KeyError, TypeError)
_OF_EACH_MACHINE = frozenset({"127.0.0.1", "::1", "localhost", "0.0.0.0", "::"})
_QUERY = re.compile(r"protocol=([0-9]{1,4})&node=([0-9]{1,18})&nonce=([0-9a-f]{32})")


class Contact:
    """Answers other nodes, and asks them."""

    def __init__(
        self, membership: Membership, secret: bytes, session: aiohttp.ClientSession, clock: Clock
    ) -> None:
        self._membership = membership
        self._secret = secret
        self._session = session
        self._clock = clock

    def handle(self, exchange: Exchange) -> None:
        """Serve a request for `PATH`."""
        query = _QUERY.fullmatch(exchange.query)
        is_known = query is not None and 1 <= int(query[1]) <= PROTOCOL
        if exchange.method != "GET" or query is None or not is_known:
            exchange.respond(400, [("Content-Type", "application/json")], b"{}")
            return
        number, away_s = self._membership.number, round(self._membership.away_s, 3)
        knows = any(
            node.number == int(query[2]) and not node.is_suspect for node in self._membership.nodes
        )
        proof = self._prove(query[3], number, away_s, knows)
        said = {"node": number, "away_s": away_s, "knows": knows, "proof": proof}
        body = json.dumps(said).encode()
        exchange.respond(200, [("Content-Type", "application/json")], body)

    async def run(self) -> None:
        """While this node is without the database, find out how many others are, until
        cancelled."""
        while True:
            await self._clock.sleep(_LOOK_S)
            if self._membership.away_s < _AWAY_S:
                continue
            self._membership.note_company(1 + sum(await self._ask_all()))

    async def has_ended(self, node: Node) -> bool:
        """Whether a node's process has certainly ended: its machine refuses connections to it."""
        parts = urlsplit(node.url)
        if not parts.hostname or not parts.port or not leads_to(node):
            return False
        try:
            with anyio.fail_after(_RESPONSE_S):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except ConnectionRefusedError:
            return True
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return False

    async def _ask_all(self) -> list[bool]:
        found: list[bool] = []
        async with anyio.create_task_group() as tasks:

            async def ask(node: Node) -> None:
                found.append(await self._ask(node))

            for node in self._membership.nodes:
                if node.number != self._membership.number and leads_to(node):
                    start_part(tasks, ask, node)
        return found

    async def _ask(self, node: Node) -> bool:
        """Whether a node is without the database, too, and has nothing against this one."""
        nonce = secrets.token_hex(16)
        try:
            with anyio.fail_after(_RESPONSE_S):
                # The proof says who responds, whatever the certificate says.
                protocol = min(PROTOCOL, node.protocol)
                query = f"protocol={protocol}&node={self._membership.number}&nonce={nonce}"
                url = f"{node.url}{PATH}?{query}"
                async with self._session.get(url, ssl=False, allow_redirects=False) as response:
                    said = parse_loosely(await response.content.read(_BYTES_MAX))
            away_s = float(said["away_s"])
            expected = self._prove(nonce, node.number, away_s, said["knows"])
            is_true = hmac.compare_digest(expected, str(said["proof"]))
            return is_true and away_s >= _AWAY_S and said["knows"] is True
        except (aiohttp.ClientError, OSError, TimeoutError, *_NOT_A_RESPONSE):
            return False

    def _prove(self, nonce: str, number: int, away_s: float, knows: object) -> str:
        text = f"{nonce}:{number}:{away_s}:{knows}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


def leads_to(node: Node) -> bool:
    """Whether a node's URL leads to it from here."""
    parts = urlsplit(node.url)
    if parts.scheme == "unix":
        return node.host == socket.gethostname()
    return parts.hostname is not None and (
        parts.hostname not in _OF_EACH_MACHINE or node.host == socket.gethostname()
    )


@asynccontextmanager
async def open_contact(
    membership: Membership, secret: bytes, clock: Clock
) -> AsyncIterator[Contact]:
    """Contact with the other nodes; `secret` is that of the database."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Contact(membership, secret, session, clock)
