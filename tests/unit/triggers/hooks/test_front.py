"""The front of hooks: addresses, limits, copies, failures."""

import dataclasses
import hashlib
import hmac
from typing import Any

import anyio
import pytest

from lambent.kit.clock import ManualClock
from lambent.model.changes import Changes
from lambent.model.errors import ApiError
from lambent.model.hooks.hook import Secret
from lambent.store.problems import StoreUnavailable
from lambent.triggers.hooks.kind import Once
from lambent.triggers.hooks.replays import Replays, Seen, Stale, TooMany
from tests.unit.linked_peers import linked

from .rig import BEARER, NOW, SECRET, Rig

pytestmark = pytest.mark.anyio


def stripe(body: bytes, at: float) -> dict[str, str]:
    signed = hmac.new(SECRET.encode(), f"{int(at)}.".encode() + body, hashlib.sha256)
    return {"Stripe-Signature": f"t={int(at)},v1={signed.hexdigest()}"}


async def test_addresses() -> None:
    """Only the whole id leads to a hook, and nothing may follow."""
    async with Rig("s3") as rig:
        for id in (
            "",
            "0" * 32,
            "0123456789ABCDEF" * 2,
            "0123456789abcdef",
            "../hooks",
            "%30" * 32,
        ):
            assert (await rig.send({}, BEARER, id=id)).status == 404
        assert (await rig.send({}, BEARER, path="/more")).status == 404
        assert (await rig.send({}, BEARER, method="PUT")).status == 405
        assert rig.kept == []


async def test_what_is_signed_counts_once() -> None:
    """A copy within the tolerance is accepted without a delivery, a later one is refused. One that
    could not be delivered counts again."""
    async with Rig("hmac", {"scheme": "stripe"}) as rig:
        headers = stripe(b"{}", NOW)
        rig.failure = ApiError("ServiceException", "no disk", status=500)
        assert (await rig.send(b"{}", headers)).status == 502
        rig.failure = None
        assert [(await rig.send(b"{}", headers)).message for _ in range(3)] == [
            "Accepted",
            "Accepted before",
            "Accepted before",
        ]
        rig.clock.advance(300)
        assert (await rig.send(b"{}", headers)).message == "Accepted before"
        rig.clock.advance(1)
        assert (await rig.send(b"{}", headers)).status == 401
        assert len(rig.kept) == 1
        seen = await rig.observe()
        assert (seen["accepted"], seen["duplicates"], seen["refused"]) == (1, 3, 2)


async def test_a_copy_at_another_node_is_recognized() -> None:
    """Also while the first is being delivered. While a node does not answer, signed requests are
    to be sent again."""
    one, two = linked(2)
    options = {"scheme": "stripe"}
    async with Rig("hmac", options, peers=one) as here, Rig("hmac", options, peers=two) as there:
        headers = stripe(b"{}", NOW)
        here.gate = anyio.Event()
        first = list[str]()

        async def send() -> None:
            first.append((await here.send(b"{}", headers)).message)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert (await there.send(b"{}", headers)).status == 503
            here.gate.set()
        assert first == ["Accepted"]
        for _ in range(2):
            assert (await there.send(b"{}", headers)).message == "Accepted before"
        assert (len(here.kept), len(there.kept)) == (1, 0)
        seen = await there.observe()
        assert (seen["accepted"], seen["duplicates"]) == (1, 3)
        one.is_silent = True
        other = stripe(b"[]", NOW)
        assert (await there.send(b"[]", other)).status == 503
        one.is_silent = False
        assert (await there.send(b"[]", other)).message == "Accepted"


@pytest.mark.parametrize("fails", [True, False])
async def test_a_copy_while_the_first_is_being_delivered(fails: bool) -> None:
    """Is not acknowledged, as the first may still fail. Its sender sends it again."""
    async with Rig("hmac", {"scheme": "stripe"}) as rig:
        headers, first = stripe(b"{}", NOW), list[int]()
        rig.gate = anyio.Event()
        rig.failure = ApiError("ServiceException", "no disk", status=500) if fails else None

        async def send() -> None:
            first.append((await rig.send(b"{}", headers)).status)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert (await rig.send(b"{}", headers)).status == 503
            rig.gate.set()
        assert first == [502 if fails else 202]
        rig.failure = None
        again = await rig.send(b"{}", headers)
        assert again.message == ("Accepted" if fails else "Accepted before")
        assert len(rig.kept) == 1


async def test_a_signature_from_the_future_cannot_be_used_twice() -> None:
    """The sender's clock is ahead: a copy is recognized for longer."""
    async with Rig("hmac", {"scheme": "stripe"}) as rig:
        headers = stripe(b"{}", NOW + 299)
        assert (await rig.send(b"{}", headers)).message == "Accepted"
        rig.clock.advance(599)
        assert (await rig.send(b"{}", headers)).message == "Accepted before"
        assert len(rig.kept) == 1


async def test_what_was_signed_before_the_start_is_refused() -> None:
    """The memory of another process is gone. The sender signs again when it retries."""
    async with Rig("hmac", {"scheme": "stripe"}, now=NOW + 0.5) as rig:
        assert (await rig.send(b"{}", stripe(b"{}", NOW))).status == 202
        refused = await rig.send(b"{}", stripe(b"{}", NOW - 1))
        assert (refused.status, "started" in refused.message) == (401, True)


def test_the_memory_is_bounded() -> None:
    """For each hook and for all. What has expired makes room."""
    clock = ManualClock(NOW)
    replays = Replays(clock, per_hook_max=2, all_max=3)

    def add(hook: str, key: bytes, expires: float = NOW + 10) -> bool:
        seen = replays.add(hook, Once(key, expires))
        replays.settle(hook, Once(key, expires))
        return seen is Seen.NEVER

    assert add("a", b"1", NOW + 5)
    assert add("a", b"2")
    with pytest.raises(TooMany):
        add("a", b"3")
    assert add("b", b"1")
    with pytest.raises(TooMany):
        add("c", b"1")
    clock.advance(6)
    assert add("a", b"3")
    assert not add("a", b"2")
    clock.advance(10)
    assert add("a", b"2", NOW + 30)
    assert add("c", b"1", NOW + 30)
    replays.remove("a", Once(b"2", 0))
    assert add("a", b"2", NOW + 30)
    with pytest.raises(Stale):
        replays.add("a", Once(b"4", NOW + 30, signed_at=NOW - 1))


async def test_rates() -> None:
    """Accepted requests have a limit, and so do those that are refused, which is higher: a stranger
    does not use up what the sender has."""
    async with Rig("token", rate=1.0) as rig:
        statuses = [(await rig.send(b"x", BEARER)).status for _ in range(4)]
        assert statuses == [202, 202, 429, 429]
        rig.clock.advance(1)
        answer = await rig.send(b"x", BEARER)
        assert answer.status == 202
        strangers = [(await rig.send(b"x")).status for _ in range(40)]
        assert set(strangers) == {401, 429}
        assert (await rig.send(b"x", BEARER)).headers["retry-after"] == "1"
        rig.clock.advance(1)
        assert (await rig.send(b"x", BEARER)).status == 202


async def test_failures_are_the_senders_to_retry(caplog: pytest.LogCaptureFixture) -> None:
    """502 for what is wrong here, once in the log, without the request."""
    async with Rig("token") as rig:
        for error, status in (
            (ApiError("AccessDeniedException", "not allowed", status=403), 502),
            (ApiError("ResourceNotFoundException", "no function", status=404), 502),
            (ApiError("TooManyRequestsException", "full", status=429), 429),
            (ApiError("RequestTooLargeException", "large", status=413), 413),
        ):
            rig.failure = error
            for _ in range(3):
                assert (await rig.send(b"private", BEARER)).status == status
        assert len(caplog.records) == 2
        assert "private" not in caplog.text
        assert SECRET not in caplog.text + repr(rig.hook)


async def test_secrets_change() -> None:
    """A hook that changes is read again; an old secret is accepted until its end."""
    async with Rig("token") as rig:
        assert (await rig.send(b"x", BEARER)).status == 202
        rig.hook = dataclasses.replace(
            rig.hook, secrets=[Secret("the-new-secret"), Secret(SECRET, ends=NOW + 10)]
        )
        rig.directory.note_changes(Changes(documents={rig.hook.root}))
        new = {"Authorization": "Bearer the-new-secret"}
        assert [(await rig.send(b"x", each)).status for each in (BEARER, new)] == [202, 202]
        rig.clock.advance(10)
        assert [(await rig.send(b"x", each)).status for each in (BEARER, new)] == [401, 202]


@pytest.mark.parametrize("kind", ["s3", "sns", "cloudevents", "hmac"])
@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[" * 100_000, b"NaN", b'{"a":' * 5000 + b"1" + b"}" * 5000, b"9" * 5000],
)
async def test_bodies_that_are_no_json(kind: str, body: bytes) -> None:
    """400 or 401, whatever they are."""
    options: dict[str, Any] = {
        "sns": {"topics": ["arn:aws:sns:us-west-2:111111111111:t"]},
        "hmac": {"scheme": "slack"},
    }.get(kind, {})
    headers = {**BEARER, "Content-Type": "application/cloudevents+json"}
    if kind == "hmac":
        signed = hmac.new(SECRET.encode(), f"v0:{int(NOW)}:".encode() + body, hashlib.sha256)
        headers["X-Slack-Request-Timestamp"] = str(int(NOW))
        headers["X-Slack-Signature"] = f"v0={signed.hexdigest()}"
    async with Rig(kind, options) as rig:
        answer = await rig.send(body, headers)
        assert answer.status in (400, 202), answer.body
        assert answer.status == 400 or (kind, body[:1]) in (("hmac", b"{"), ("hmac", b"9"))


async def test_an_outage_of_the_database() -> None:
    """503, from the first look on; afterwards hooks are there again."""
    async with Rig("token") as rig:
        rig.outage = StoreUnavailable()
        assert (await rig.send(b"x", BEARER)).status == 503
        rig.outage = None
        assert (await rig.send(b"x", BEARER)).status == 202
        rig.failure = StoreUnavailable()
        assert (await rig.send(b"x", BEARER)).status == 503


async def test_dense_documents() -> None:
    """Strangers make the platform parse at most a megabyte, which leaves the loop free."""
    async with Rig("sns", {"topics": ["arn:aws:sns:us-west-2:111111111111:t"]}) as rig:
        answer = await rig.send(b"[" + b"1," * 500_000 + b"1]")
        assert (answer.status, answer.message) == (400, "The body is not a message of SNS.")
