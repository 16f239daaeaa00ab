"""Questions between nodes, over HTTP.

`POST /_lambent/peer` has a query that says who asks what, and a body that only a node of the same
database can make; so has the response (`messages.py`). A node answers only nodes that it knows.
Bodies are bounded, and so are the questions that a node serves at once and the time for each.
"""

import itertools
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import anyio
import anyio.abc

from lambent.cluster.messages import SALT_BYTES, Counts, Rejected, seal, unseal
from lambent.kit.clock import Clock
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.kit.http.messages import Exchange
from lambent.kit.strict_json import parse_loosely
from lambent.kit.tasks import start_part, start_task
from lambent.model.nodes import Node
from lambent.model.peers import WITHIN_S, Answers, NoAnswer, NodeGone, Serve
from lambent.store.membership import Membership

logger = logging.getLogger(__name__)

PATH = "/_lambent/peer"
SECRET = "node-messages"
"""Name of the platform's secret for messages."""
QUESTION_BYTES_MAX = 1 << 20
ANSWER_BYTES_MAX = 32 << 20
_WITHIN_S_MAX = 60.0
_AT_ONCE_MAX = 256
"""Questions of other nodes that are under way."""
_CONNECTIONS_MAX = 32
"""To one node."""
_LOST_S = 86_400.0
_LOG_EVERY_S = 60.0
_QUERY = re.compile(
    r"question=([a-z]{1,20}/[a-z-]{1,40})&from=([1-9]\d{0,17})&count=([1-9]\d{0,17})"
    r"&within=(\d{1,5})",
    re.ASCII,
)


class HttpPeers:
    """See `model.peers.Peers`."""

    def __init__(
        self,
        membership: Membership,
        secret: bytes,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._membership = membership
        self._secret = secret
        self._clock = clock
        self._tasks = tasks
        self._session: aiohttp.ClientSession | None = None
        """Shared by all questions; None before the platform serves and after it has ended."""
        self._serves: dict[str, Serve] = {}
        self._asked = itertools.count(1)
        self._received: dict[int, Counts] = {}
        self._under_way = 0
        self._waiting: dict[int, set[anyio.CancelScope]] = {}
        """What waits for answers, by node."""
        self._rejected_at = -_LOG_EVERY_S
        self._silent: set[int] = set()
        """Nodes whose silence is in the log."""
        self._known: dict[int, Node] = {}
        self._left: dict[int, tuple[Node, float]] = {}
        """Nodes that are not there any more, and when that was seen."""

    @property
    def number(self) -> int:
        """See `Peers`."""
        return self._membership.number

    @property
    def lost(self) -> Sequence[int]:
        """See `Peers`."""
        self._note_nodes()
        return sorted(self._left)

    def numbers(self) -> Sequence[int]:
        """See `Peers`: those that serve, or end what they have."""
        own = self._membership.number
        return [node.number for node in self._membership.nodes if node.number != own and node.url]

    def place_of(self, number: int) -> int:
        """See `Peers`."""
        node = self._node(number) or self._known.get(number)
        return 0 if node is None else node.place

    def serve(self, question: str, serve: Serve) -> None:
        """See `Peers`."""
        self._serves[question] = serve

    async def run(self) -> None:
        """Remember nodes that leave, and wait for them no longer, until cancelled."""
        while True:
            self._note_nodes()
            for number in self._waiting.keys() - self._known.keys():
                for scope in self._waiting.pop(number):
                    scope.cancel()
            await self._membership.wait_changed()

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """For as long as the context lasts, ask other nodes."""
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=_CONNECTIONS_MAX)
        cookies = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=cookies) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    def _note_nodes(self) -> None:
        now = self._clock.monotonic()
        present = {node.number: node for node in self._membership.nodes}
        for number in self._known.keys() - present.keys():
            self._left[number] = (self._known[number], now)
        self._known = present
        places = {node.place for node in present.values()}
        self._left = {
            number: (node, since)
            for number, (node, since) in self._left.items()
            if node.place not in places and now - since < _LOST_S
        }
        self._silent &= present.keys()
        self._received = {
            number: counts for number, counts in self._received.items() if number in present
        }

    def _node(self, number: int) -> Node | None:
        return next((node for node in self._membership.nodes if node.number == number), None)

    # -- asking ----------------------------------------------------------------------------

    async def ask(self, question: str, value: Any = None, *, within_s: float = WITHIN_S) -> Answers:
        """See `Peers`."""
        numbers = self.numbers()
        if not numbers:
            return Answers({})
        return await self.ask_each(question, dict.fromkeys(numbers, value), within_s=within_s)

    async def ask_each(
        self, question: str, values: Mapping[int, Any], *, within_s: float = WITHIN_S
    ) -> Answers:
        """See `Peers`."""
        found: dict[int, Any] = {}

        async def ask(number: int, value: Any) -> None:
            try:
                found[number] = await self.ask_one(number, question, value, within_s=within_s)
            except NoAnswer:
                pass  # The log says why.

        async with anyio.create_task_group() as tasks:
            for number, value in values.items():
                start_part(tasks, ask, number, value)
        return Answers(found, [number for number in values if number not in found])

    async def ask_one(
        self, number: int, question: str, value: Any = None, *, within_s: float = WITHIN_S
    ) -> Any:
        """See `Peers`."""
        node = self._node(number)
        if node is None or number == self.number:
            raise NodeGone(f"node {number} is not there")
        if self._session is None or not node.url:
            raise NoAnswer(f"node {number} cannot be asked")
        waits = self._waiting.setdefault(number, set())
        scope = anyio.CancelScope()
        try:
            with anyio.fail_after(within_s) as scope:
                waits.add(scope)
                answer = await self._post(self._session, node, question, value, within_s)
        except (aiohttp.ClientError, OSError, TimeoutError, Rejected, ValueError) as error:
            if self._node(number) is None:
                raise NodeGone(f"node {number} is lost") from error
            if number not in self._silent:
                self._silent.add(number)
                reason = str(error) or f"no answer in {within_s:g} s"
                logger.warning("node %d at %s does not answer: %s", number, node.url, reason)
            raise NoAnswer(f"node {number} does not answer") from error
        finally:
            waits.discard(scope)
        if scope.cancelled_caught:
            raise NodeGone(f"node {number} is lost")
        if number in self._silent:
            self._silent.discard(number)
            logger.warning("node %d answers again", number)
        return answer

    async def _post(
        self,
        session: aiohttp.ClientSession,
        node: Node,
        question: str,
        value: Any,
        within_s: float,
    ) -> Any:
        count = next(self._asked)
        query = (
            f"question={question}&from={self.number}&count={count}&within={round(within_s * 1000)}"
        )
        content = json.dumps(value).encode()
        message = await self._worked(seal, f"{query}&to={node.number}", content)
        # The message says who is asked, whatever the certificate says.
        url = f"{node.url}{PATH}?{query}"
        async with session.post(url, data=message, ssl=False, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"it responds with {response.status} to {question}")
            answer = await _read(response.content, ANSWER_BYTES_MAX)
        content = await self._worked(unseal, _answers(message), answer)
        if len(content) > LOOP_BYTES_MAX:
            return await computed(parse_loosely, content)
        return parse_loosely(content)

    # -- answering -------------------------------------------------------------------------

    def handle(self, exchange: Exchange) -> None:
        """Serve a request for `PATH`."""
        query = _QUERY.fullmatch(exchange.query)
        if exchange.method != "POST" or query is None:
            exchange.respond(400)
        elif self._node(int(query[2])) is None or len(exchange.body) > QUESTION_BYTES_MAX:
            exchange.respond(403)
        elif self._under_way >= _AT_ONCE_MAX:
            exchange.respond(503)
        else:
            self._under_way += 1
            failed = partial(_fail, exchange)
            start_task(self._tasks, failed, self._answer, exchange, query)

    async def _answer(self, exchange: Exchange, query: re.Match[str]) -> None:
        try:
            question, sender, count = query[1], int(query[2]), int(query[3])
            purpose = f"{exchange.query}&to={self.number}"
            try:
                content = await self._worked(unseal, purpose, exchange.body)
                self._received.setdefault(sender, Counts()).take(count)
                value = parse_loosely(content)
            except (Rejected, ValueError) as error:
                self._note_rejected(exchange.client_address, error)
                exchange.respond(403)
                return
            serve = self._serves.get(question)
            if serve is None:
                exchange.respond(404)  # Of another release.
                return
            try:
                with anyio.fail_after(min(int(query[4]) / 1000, _WITHIN_S_MAX)):
                    answer = await serve(value)
                    text = json.dumps(answer).encode()
                    sealed = await self._worked(seal, _answers(exchange.body), text)
            except TimeoutError:
                exchange.respond(504)
                return
            exchange.respond(200, [("Content-Type", "application/octet-stream")], sealed)
        finally:
            self._under_way -= 1

    def _note_rejected(self, sender: str, error: Exception) -> None:
        """Log it, unless that was done a moment ago: anyone can send anything."""
        now = self._clock.monotonic()
        if now - self._rejected_at >= _LOG_EVERY_S:
            self._rejected_at = now
            logger.warning("a question from %s was refused: %s", sender, error)

    async def _worked(
        self, work: Callable[[bytes, str, bytes], bytes], purpose: str, data: bytes
    ) -> bytes:
        if len(data) > LOOP_BYTES_MAX:
            return await computed(work, self._secret, purpose, data)
        return work(self._secret, purpose, data)


def _answers(message: bytes) -> str:
    """The purpose of the answer to a message."""
    return f"answer={message[:SALT_BYTES].hex()}"


async def _read(stream: aiohttp.StreamReader, bytes_max: int) -> bytes:
    """All of a body. Raises `ValueError` if it is too large."""
    found = bytearray()
    async for chunk in stream.iter_any():
        found += chunk
        if len(found) > bytes_max:
            raise ValueError(f"its answer has more than {bytes_max} bytes")
    return bytes(found)


def _fail(exchange: Exchange, _: Exception) -> None:
    exchange.respond(500)
