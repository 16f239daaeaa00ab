"""Requests of Alexa: everything that a skill has to check."""

import base64
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from lambent.aws.clients import trusted_by_default
from lambent.cli.alexa import envelope, sign
from lambent.kit.tls.authority import new_signer
from lambent.model.errors import ApiError
from lambent.model.hooks.alexa import NAME
from lambent.model.invocation import FunctionFailed, Refusal, Refused, Succeeded
from lambent.triggers.hooks.certificates import (
    CertificateRefused,
    load_roots,
    read_chain,
    verify_chain,
)

from .authority import Authority, signature
from .rig import ID, NOW, Answer, Rig

pytestmark = pytest.mark.anyio

RECORDED = Path(__file__).with_name("recorded")

SKILL = "amzn1.ask.skill.11111111-2222-3333-4444-555555555555"
ADDRESS = "https://s3.amazonaws.com/echo.api/echo-api-cert-12.pem"
SPEECH = {"version": "1.0", "response": {"outputSpeech": {"type": "PlainText", "text": "hello"}}}


def at(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def request(**members: Any) -> dict[str, Any]:
    """A request of now."""
    made = envelope("intent", ["Hello", "name=ann"], SKILL)
    made["request"] |= {"timestamp": at(NOW), **members}
    return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def rig_of(authority: Authority, *names: str) -> Rig:
    chain = authority.chain(authority.leaf(names or [NAME]))
    rig = Rig(
        "alexa", {"skill": SKILL}, secrets=(), roots=authority.roots, documents={ADDRESS: chain}
    )
    rig.outcome = Succeeded(json.dumps(SPEECH).encode())
    return rig


async def send(rig: Rig, body: Any, address: str = ADDRESS, **headers: str) -> Answer:
    """Signed as Alexa does."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = {"SignatureCertChainUrl": address, "Signature-256": signature(data, SHA256())}
    return await rig.send(data, {**signed, **headers})


async def test_a_skill_responds(authority: Authority) -> None:
    """The function gets the request as it is; Alexa gets the response as it is. The certificate is
    read once, however its address is written."""
    async with rig_of(authority) as rig:
        sent = request()
        answer = await send(rig, sent)
        assert (answer.status, json.loads(answer.body)) == (200, SPEECH)
        again = "HTTPS://S3.AmazonAWS.com:443/echo.api/echo-api-cert-12.pem"
        assert (await send(rig, sent, again)).status == 200
        assert rig.kept == [sent, sent]
        assert rig.tokens == [SKILL, SKILL]
        assert rig.fetched == [ADDRESS]


async def test_time(authority: Authority) -> None:
    """150 seconds in both directions."""
    async with rig_of(authority) as rig:
        for seconds, status in ((150, 200), (151, 400), (-150, 200), (-151, 400)):
            assert (await send(rig, request(timestamp=at(NOW + seconds)))).status == status
        sent = request()
        assert (await send(rig, sent)).status == 200
        rig.clock.advance(151)
        assert (await send(rig, sent)).status == 400
        for text in ("", "now", "2026", None, 5, {}):
            assert (await send(rig, request(timestamp=text))).status == 400


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://s3.amazonaws.com/echo.api/echo-api-cert.pem",
        "https://notamazon.com/echo.api/echo-api-cert.pem",
        "https://s3.amazonaws.com/EcHo.aPi/echo-api-cert.pem",
        "https://s3.amazonaws.com/invalid.path/echo-api-cert.pem",
        "https://s3.amazonaws.com:563/echo.api/echo-api-cert.pem",
        "https://s3.amazonaws.com/echo.api/../bucket/cert.pem",
        "https://s3.amazonaws.com/echo.api/%2e%2e/bucket/cert.pem",
        "https://s3.amazonaws.com/echo.api/./cert.pem",
        "https://s3.amazonaws.com/echo.api//cert.pem",
        "https://s3.amazonaws.com/echo.api\\..\\bucket/cert.pem",
        "https://s3.amazonaws.com/echo.api/cert.pem?bucket=x",
        "https://s3.amazonaws.com/echo.api/cert.pem#x",
        "https://user@s3.amazonaws.com/echo.api/cert.pem",
        "https://s3.amazonaws.com@evil.example/echo.api/cert.pem",
        "https://s3.amazonaws.com.evil.example/echo.api/cert.pem",
        "https://s3.amazonaws.com/echo.api/cert.pem\nX: y",
        f"https://s3.amazonaws.com/echo.api/{'x' * 300}.pem",
        "file:///echo.api/cert.pem",
    ],
)
async def test_addresses_of_certificates_that_are_tricks(
    authority: Authority, address: str
) -> None:
    """400, and nothing is read from there."""
    async with rig_of(authority) as rig:
        assert (await send(rig, request(), address)).status == 400
        assert rig.fetched == []


async def test_what_is_not_signed_by_alexa(authority: Authority, tmp_path: Path) -> None:
    """Other names, out of time, other authorities; other bodies and hashes."""
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger")
    async with rig_of(authority) as rig:
        good = rig.documents[ADDRESS]
        for document in (
            authority.chain(authority.leaf(["amazon.com"])),
            authority.chain(authority.leaf([f"{NAME}.evil.example"])),
            authority.chain(authority.leaf([NAME], ends=NOW - 1)),
            authority.chain(authority.leaf([NAME], starts=NOW + 1)),
            stranger.chain(stranger.leaf([NAME])),
            b"no certificate",
        ):
            rig.documents[ADDRESS] = document
            assert (await send(rig, request())).status == 400
        rig.documents[ADDRESS] = good
        body = json.dumps(request()).encode()
        for headers in (
            {"Signature-256": ""},
            {"Signature-256": "AAAA"},
            {"Signature-256": "\xff"},
            {"Signature-256": signature(body, SHA1())},
            {"Signature-256": signature(body + b" ", SHA256())},
            {"Signature-256": "", "Signature": signature(body, SHA1())},
        ):
            assert (await send(rig, body, **headers)).status == 400
        assert (await rig.send(body)).status == 400
        assert (await send(rig, body, SignatureCertChainUrl="")).status == 400
        assert (await send(rig, body)).status == 200
        assert len(rig.kept) == 1


async def test_other_skills(authority: Authority) -> None:
    """Both places that name a skill are checked, and one of them has to be there."""
    async with rig_of(authority) as rig:
        for path in (("session",), ("context", "System")):
            other = json.loads(json.dumps(request()))
            place = other
            for name in path:
                place = place[name]
            place["application"]["applicationId"] = SKILL + "x"
            assert (await send(rig, other)).status == 400
            del place["application"]
            assert (await send(rig, other)).status == 200
        for body in ({"request": {"timestamp": at(NOW)}}, [], 5, None, {"session": 5}):
            assert (await send(rig, body)).status == 400
        assert (await send(rig, b"{")).status == 400
        assert (await send(rig, b" " * 131_073)).status == 413
        assert (await rig.send(b"", method="GET")).status == 405


async def test_responses_that_alexa_would_not_take(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """500, and a line in the log without the response."""
    long = {"type": "SSML", "ssml": "private" * 2000}
    large = {"response": {"directives": ["x" * 25_000]}}
    async with rig_of(authority) as rig:
        for outcome in (
            Succeeded(b"null"),
            Succeeded(b'"private"'),
            Succeeded(b'{"version": "1.0"}'),
            Succeeded(b'{"response": {"outputSpeech": "private"}}'),
            Succeeded(json.dumps({"response": {"outputSpeech": long}}).encode()),
            Succeeded(json.dumps(large).encode()),
            FunctionFailed(b'{"errorMessage": "private"}', "Error"),
        ):
            rig.outcome = outcome
            answer = await send(rig, request())
            assert answer.status == 500
            assert b"private" not in answer.body
        assert len(caplog.records) == 7
        assert "private" not in caplog.text
        busy = ApiError("TooManyRequestsException", "", status=429)
        rig.outcome = Refused(busy, Refusal.THROTTLED)
        assert (await send(rig, request())).status == 429


async def test_a_hook_for_local_use() -> None:
    """Takes what its owner has signed, after the same checks; other hooks do not."""
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    pem = new_signer(NAME, now).decode()
    body = json.dumps(request()).encode()
    headers = sign(body, pem, ID)
    options = {"skill": SKILL, "local": True}
    async with Rig("alexa", options, secrets=(pem,)) as rig:
        rig.outcome = Succeeded(json.dumps(SPEECH).encode())
        assert (await rig.send(body, headers)).status == 200
        assert rig.fetched == []
        other = new_signer(NAME, now).decode()
        assert (await rig.send(body, sign(body, other, ID))).status == 400
        assert (await rig.send(body + b" ", headers)).status == 400
        assert (await rig.send(body, sign(body, pem, "f" * 32))).status == 400
        rig.clock.advance(151)
        assert (await rig.send(body, headers)).status == 400
    async with Rig("alexa", {"skill": SKILL}, secrets=()) as rig:
        assert (await rig.send(body, headers)).status == 400
        assert rig.kept == []


OLDER = (
    "AzMyoQSXTd2D9kYPDj38HBUtM72wdNXdXYy039+6vvV0RQce2vzrXjTSftNXgmotkc9zWasGjF/MwPi290PCuXNe"
    "Mc0pqJs5hM/tCkRYjlDA49T2d1Vqc8P5gS3d+WHX9zBpac5u6fR5AyONIQqQiiA0r5KDTIhVtG+A55/nWqgVMegX"
    "NhnYyuIrTID+eUiesayHWG9F57ShsASpaQjQMaCzc40Dd/CmI3MCIOFtSwL02kjjVK8hxitgFsmxk/PVZGj744E/"
    "Wx/KektuQATBbkaizW2kGcYUJdliTNt4wN/qnuQ0o7eUwptS7nwFdc9E8huLH6HTXNy2C/QGcFzBXQ=="
)
"""The signature of the recorded request, of the older kind with SHA-1."""


async def test_a_recorded_chain() -> None:
    """Amazon's own chain of 2018 leads to a root that clients trust, at that time and no other. Its
    key has signed the request that was recorded with it, in the way that is not taken any more."""
    body = (RECORDED / "alexa.json").read_bytes().strip()
    then = datetime.datetime.fromisoformat("2018-07-03T12:37:46+00:00").timestamp()
    chain = read_chain((RECORDED / "alexa.pem").read_bytes())
    roots = load_roots(trusted_by_default())
    key, name, ends = verify_chain(chain, roots, [NAME], then)
    assert (name, ends) == (NAME, chain[0].not_valid_after_utc.timestamp())
    key.verify(base64.b64decode(OLDER), body, PKCS1v15(), SHA1())
    with pytest.raises(CertificateRefused):
        verify_chain(chain, roots, [NAME], NOW)
    with pytest.raises(CertificateRefused):
        verify_chain(chain, roots, ["amazon.com"], then)
    skill = json.loads(body)["session"]["application"]["applicationId"]
    documents = {ADDRESS: (RECORDED / "alexa.pem").read_bytes()}
    async with Rig("alexa", {"skill": skill}, secrets=(), now=then, documents=documents) as rig:
        headers = {"SignatureCertChainUrl": ADDRESS, "Signature": OLDER}
        assert (await rig.send(body, headers)).status == 400
        assert (await rig.send(body, {**headers, "Signature-256": OLDER})).status == 400
        assert rig.fetched == [ADDRESS]
