"""Documents that are nearly right: whatever a member is, the sender gets a clear refusal, or the
event is accepted. Nothing is an error of ours."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.cli.alexa import envelope
from lambent.model.hooks.alexa import NAME
from lambent.model.invocation import Succeeded
from tests.lengths import examples

from .authority import Authority, signature
from .rig import BEARER, NOW, Rig
from .test_sns import at, message

RECORDED = Path(__file__).with_name("recorded")
CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"a": [1]}}
RESPONSE = {
    "statusCode": 200,
    "headers": {"A": "b"},
    "multiValueHeaders": {"C": ["d"]},
    "cookies": ["e=f"],
    "body": "g",
    "isBase64Encoded": False,
    "response": {"outputSpeech": {"type": "PlainText", "text": "h"}, "shouldEndSession": True},
}
ADDRESS = "https://s3.amazonaws.com/echo.api/a.pem"
MESSAGE = message(Subject="about", MessageAttributes={"k": {"Type": "String", "Value": "v"}})
REQUEST = envelope("intent", ["Hello", "name=ann"], "amzn1.ask.skill.1")
REQUEST["request"]["timestamp"] = at(NOW)
DOCUMENTS: Mapping[str, Any] = {
    "s3": json.loads((RECORDED / "minio.json").read_text()),
    "sns": MESSAGE,
    "cloudevents": CLOUDEVENT,
    "alexa": REQUEST,
}
OPTIONS: Mapping[str, Any] = {
    "sns": {"topics": [MESSAGE["TopicArn"]]},
    "alexa": {"skill": "amzn1.ask.skill.1"},
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ODD = st.sampled_from(["\ud800", "\x00", "a\r\nb: c", "9999-99-99T00:00:00Z", "-1", 1e308, 10**30])
LONG = settings(max_examples=examples(400), deadline=None)


def paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the members of a document are."""
    yield path
    inner = document.items() if isinstance(document, dict) else ()
    for key, value in enumerate(document) if isinstance(document, list) else inner:
        yield from paths(value, (*path, key))


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """A document in which one member is something else, or is missing."""
    path = draw(st.sampled_from([*paths(document)]))
    if not path:
        return draw(VALUES)
    document = copy.deepcopy(document)
    *parents, last = path
    place = document
    for part in parents:
        place = place[part]
    if draw(st.booleans()):
        place[last] = draw(VALUES | ODD)
    else:
        del place[last]
    return document


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_requests(kind: str, authority: Authority) -> None:
    """Every status is one of the sender's."""
    documents = {
        ADDRESS: authority.chain(authority.leaf([NAME])),
        MESSAGE["SigningCertURL"]: authority.chain(authority.leaf(["sns.amazonaws.com"])),
    }
    seen = set[int]()

    async def send(document: Any) -> None:
        body = json.dumps(document).encode()
        headers = {
            **BEARER,
            "Content-Type": "application/cloudevents+json",
            "SignatureCertChainUrl": ADDRESS,
            "Signature-256": signature(body, SHA256()),
        }
        more: Any = {"roots": authority.roots, "documents": documents}
        async with Rig(kind, OPTIONS.get(kind), **more) as rig:
            rig.outcome = Succeeded(b'{"response": {}}')
            seen.add((await rig.send(body, headers)).status)

    @LONG
    @given(changed(DOCUMENTS[kind]))
    def check(document: Any) -> None:
        anyio.run(send, document)

    check()
    anyio.run(send, DOCUMENTS[kind])
    assert seen.intersection((200, 202))
    assert 400 in seen
    assert all(status < 500 or status == 503 for status in seen), seen


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["alb", "token", "alexa"])
def test_responses(kind: str) -> None:
    """Whatever a function returns, the response is well-formed, and an error of the function's."""

    @LONG
    @given(changed(RESPONSE), st.booleans())
    def check(result: Any, is_multi: bool) -> None:
        anyio.run(_respond, kind, json.dumps(result).encode(), is_multi)

    check()


async def _respond(kind: str, payload: bytes, is_multi: bool) -> None:
    options = {"alb": {"multi_value_headers": is_multi}}.get(kind, {})
    if kind == "alexa":
        from lambent.triggers.hooks.alexa import _respond as respond

        assert respond(Succeeded(payload), Rig(kind).hook).status in (200, 500)
        return
    async with Rig(kind, options, is_synchronous=True) as rig:
        rig.outcome = Succeeded(payload)
        answer = await rig.send(
            b"", {**BEARER, "X-Lambent-Hook-Token": BEARER["Authorization"][7:]}
        )
        assert 200 <= answer.status <= 599
        assert answer.status != 500 or b"Internal" not in answer.body
        assert all("\r" not in value and "\n" not in value for value in answer.headers.values())
