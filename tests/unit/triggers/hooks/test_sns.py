"""Messages of SNS: recorded ones, ones that are signed here, and tricks."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lambent.triggers.hooks.sns import canonical

from .authority import Authority, signature
from .rig import NOW, Rig

pytestmark = pytest.mark.anyio

RECORDED = Path(__file__).with_name("recorded")
MESSAGES = json.loads((RECORDED / "sns.json").read_text())
ISSUER = "http://crt.r2m01.amazontrust.com/r2m01.cer"
TOPIC = "arn:aws:sns:us-west-2:111111111111:t"
ADDRESS = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0a1b.pem"
CONFIRMS = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=abc"


def at(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def message(version: str = "2", **members: Any) -> dict[str, Any]:
    """A signed notification with other members; those that are None are missing."""
    made: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Message": "hello",
        "Timestamp": at(NOW),
        "SignatureVersion": version,
        "SigningCertURL": ADDRESS,
        **members,
    }
    made = {name: value for name, value in made.items() if value is not None}
    if "Signature" not in made:
        digest = SHA1() if version == "1" else SHA256()
        made["Signature"] = signature(canonical(made), digest)
    return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def rig_of(authority: Authority, *names: str, topics: tuple[str, ...] = (TOPIC,)) -> Rig:
    """With a certificate for names where SNS has it."""
    chain = authority.chain(authority.leaf(names or ["sns.amazonaws.com"]))
    documents = {ADDRESS: chain, CONFIRMS: b"<ConfirmSubscriptionResponse/>"}
    return Rig("sns", {"topics": [*topics]}, secrets=(), roots=authority.roots, documents=documents)


@pytest.mark.parametrize("name", MESSAGES)
async def test_recorded_messages(name: str) -> None:
    """Both versions of signatures, with AWS's certificate, its issuer's and a root that clients
    trust, at the time of recording."""
    recorded = MESSAGES[name]
    issuer = x509.load_pem_x509_certificate((RECORDED / "r2m01.pem").read_bytes())
    documents = {
        recorded["SigningCertURL"]: (RECORDED / "sns.pem").read_bytes(),
        ISSUER: issuer.public_bytes(Encoding.DER),
        recorded.get("SubscribeURL", ""): b"<ok/>",
    }
    then = datetime.datetime.fromisoformat(recorded["Timestamp"]).timestamp()
    topics = {"topics": [recorded["TopicArn"]]}
    async with Rig("sns", topics, secrets=(), now=then + 2, documents=documents) as rig:
        answer = await rig.send(recorded)
        assert answer.status in (200, 202), answer.body
        assert rig.fetched[:2] == [recorded["SigningCertURL"], ISSUER]
        if name == "confirmation":
            assert rig.fetched[2:] == [recorded["SubscribeURL"]]
        else:
            assert rig.kept[0]["Records"][0]["Sns"]["Message"] == recorded["Message"]
        changed = {**recorded, "MessageId": "another", "Message": "changed"}
        assert (await rig.send(changed)).message == "The signature is not valid."


@pytest.mark.parametrize("version", ["1", "2"])
async def test_an_event(authority: Authority, version: str) -> None:
    """As SNS sends it to functions. The certificate is read once."""
    attributes = {"k": {"Type": "String", "Value": "v"}}
    sent = message(version, Subject="about", MessageAttributes=attributes, UnsubscribeURL="u")
    async with rig_of(authority) as rig:
        headers = {"x-amz-sns-subscription-arn": f"{TOPIC}:sub"}
        assert (await rig.send(sent, headers)).status == 202
        second = message(version, MessageId="m-2")
        assert (await rig.send(second, {"x-amz-sns-subscription-arn": "other"})).status == 202
        assert rig.kept[0] == {
            "Records": [
                {
                    "EventSource": "aws:sns",
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": f"{TOPIC}:sub",
                    "Sns": {
                        "Type": "Notification",
                        "MessageId": "m-1",
                        "TopicArn": TOPIC,
                        "Subject": "about",
                        "Message": "hello",
                        "Timestamp": sent["Timestamp"],
                        "SignatureVersion": version,
                        "Signature": sent["Signature"],
                        "SigningCertUrl": ADDRESS,
                        "UnsubscribeUrl": "u",
                        "MessageAttributes": attributes,
                    },
                }
            ]
        }
        assert rig.kept[1]["Records"][0]["EventSubscriptionArn"] == TOPIC
        assert rig.kept[1]["Records"][0]["Sns"]["Subject"] is None
        assert rig.fetched == [ADDRESS]


async def test_retries_and_replays(authority: Authority) -> None:
    """SNS may retry for an hour. A message counts once in that time, and not at all after it."""
    async with rig_of(authority) as rig:
        sent = message()
        assert (await rig.send(sent)).message == "Accepted"
        rig.clock.advance(3600)
        assert (await rig.send(sent)).message == "Accepted before"
        rig.clock.advance(301)
        assert (await rig.send(sent)).status == 403
        assert (await rig.send(message(Timestamp=at(NOW + 9000)))).status == 403
        assert len(rig.kept) == 1


async def test_a_subscription_is_confirmed_after_its_signature_is_verified(
    authority: Authority,
) -> None:
    def confirmation(**members: Any) -> dict[str, Any]:
        return message(
            **{"Type": "SubscriptionConfirmation", "Token": "abc", "SubscribeURL": CONFIRMS}
            | members
        )

    async with rig_of(authority) as rig:
        assert (await rig.send(confirmation(Signature="AAAA"))).status == 403
        assert (await rig.send(confirmation(TopicArn=TOPIC + "2"))).status == 403
        for address in (
            "https://sns.us-west-2.amazonaws.com.evil.example/?Action=ConfirmSubscription&T=1",
            "https://evil.example/?Action=ConfirmSubscription&x=sns.us-west-2.amazonaws.com",
            "http://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&T=1",
            "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&T=1",
            "https://sns.us-west-2.amazonaws.com/?Action=Publish&T=1",
            "https://sns.us-west-2.amazonaws.com:8443/?Action=ConfirmSubscription&T=1",
        ):
            assert (await rig.send(confirmation(SubscribeURL=address))).status == 403
        assert CONFIRMS not in rig.fetched
        assert (await rig.send(confirmation())).status == 200
        assert rig.fetched == [ADDRESS, CONFIRMS]
        del rig.documents[CONFIRMS]
        assert (await rig.send(confirmation())).status == 502
        ended = confirmation(Type="UnsubscribeConfirmation")
        assert (await rig.send(ended)).status == 200
        assert rig.kept == []


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.us-west-2.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com.evil.example/SimpleNotificationService-0a1b.pem",
        "https://evil.example/sns.us-west-2.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com@evil.example/SimpleNotificationService-0a1b.pem",
        "https://evil.example#sns.us-west-2.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com:444/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com/../SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com/bucket/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0a1b.pem?x=1",
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0a1b.pem\n",
        "https://SNS.us-west-2.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com.cn/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.s3.amazonaws.com/SimpleNotificationService-0a1b.pem",
        "https://sns.us-west-2.amazonaws.com\\.evil.example/SimpleNotificationService-0a1b.pem",
        "https://169.254.169.254/SimpleNotificationService-0a1b.pem",
        "file:///etc/passwd",
        "",
    ],
)
async def test_addresses_of_certificates_that_are_tricks(
    authority: Authority, address: str
) -> None:
    """Nothing is read from there."""
    async with rig_of(authority) as rig:
        assert (await rig.send(message(SigningCertURL=address))).status == 403
        assert rig.fetched == []


async def test_china(authority: Authority) -> None:
    """Another domain, and another name in the certificate."""
    topic = "arn:aws-cn:sns:cn-north-1:111111111111:t"
    address = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a1b.pem"
    async with rig_of(authority, topics=(topic,)) as rig:
        sent = message(TopicArn=topic, SigningCertURL=address)
        for names, status in (
            (["sns.amazonaws.com"], 403),
            (["sns-cn-north-1.amazonaws.com.cn"], 202),
        ):
            rig.documents[address] = authority.chain(authority.leaf(names))
            assert (await rig.send(sent)).status == status


async def test_certificates_that_are_not_of_sns(authority: Authority, tmp_path: Path) -> None:
    """Another name, out of time, of a stranger's authority, not RSA, and documents of all kinds."""
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger")
    name = "sns.amazonaws.com"
    refused = [
        authority.chain(authority.leaf(["sns.amazonaws.com.evil.example"])),
        authority.chain(authority.leaf(["evil.sns.amazonaws.com"])),
        authority.chain(authority.leaf([name], ends=NOW - 1)),
        authority.chain(authority.leaf([name], starts=NOW + 100)),
        stranger.chain(stranger.leaf([name])),
        authority.chain(authority.leaf([name], is_rsa=False)),
        authority.leaf([name]).public_bytes(Encoding.PEM),
        authority.chain(*[authority.leaf([name])] * 9),
        authority.chain(authority.leaf([name])) + b" " * 70_000,
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"<html>",
        b"",
    ]
    async with rig_of(authority) as rig:
        for document in refused:
            rig.documents[ADDRESS] = document
            rig.clock.advance(1)
            assert (await rig.send(message())).status == 403
        assert rig.kept == []


async def test_the_issuer_is_read_where_the_certificate_says(authority: Authority) -> None:
    """As AWS's certificates need it. Only http, as in such certificates, and only once."""
    issuer = "http://crt.example/r.cer"
    der = authority.intermediate.public_bytes(Encoding.DER)
    for address, document, status in (
        (issuer, der, 202),
        (issuer, b"", 403),
        ("file:///etc/passwd", der, 403),
        ("https://crt.example/r.cer", der, 403),
    ):
        leaf = authority.leaf(["sns.amazonaws.com"], issuer_at=address)
        async with rig_of(authority) as rig:
            rig.documents |= {ADDRESS: leaf.public_bytes(Encoding.PEM), address: document}
            assert (await rig.send(message())).status == status
            assert rig.fetched == ([ADDRESS, address] if address == issuer else [ADDRESS])


async def test_a_flood_of_addresses_is_no_flood_of_fetches(authority: Authority) -> None:
    """And messages with the known certificate pass meanwhile."""
    async with rig_of(authority) as rig:
        assert (await rig.send(message())).status == 202
        for number in range(100):
            address = ADDRESS.replace("0a1b", f"{number:x}")
            assert (await rig.send(message(SigningCertURL=address))).status in (503, 429)
        assert len(rig.fetched) == 20
        assert (await rig.send(message(MessageId="m-2"))).status == 202


@pytest.mark.parametrize(
    "members",
    [
        {"Type": "Other"},
        {"Type": ["Notification"]},
        {"Type": None},
        {"Message": None, "Signature": "AAAA"},
        {"MessageId": 5, "Signature": "AAAA"},
        {"Subject": {}, "Signature": "AAAA"},
        {"SignatureVersion": "3", "Signature": "AAAA"},
        {"Signature": "A" * 5000},
        {"Timestamp": "now"},
        {"Timestamp": "9999999999-01-01"},
    ],
)
async def test_forms_that_are_refused(authority: Authority, members: dict[str, Any]) -> None:
    async with rig_of(authority) as rig:
        sent = {**message(), **members}
        answer = await rig.send({name: value for name, value in sent.items() if value is not None})
        assert answer.status == 400
        assert rig.fetched == []


async def test_signatures_that_are_refused(authority: Authority) -> None:
    async with rig_of(authority) as rig:
        for forged in ("", "!", "AAAA", "\u20ac", message(Message="other")["Signature"]):
            assert (await rig.send(message(Signature=forged))).status == 403
        downgraded = {**message("2"), "SignatureVersion": "1"}
        assert (await rig.send(downgraded)).status == 403
        assert (await rig.send(message(TopicArn=TOPIC + "x"))).status == 403
        raw = await rig.send(b"hello", {"x-amz-sns-rawdelivery": "true"})
        assert (raw.status, "raw" in raw.message) == (400, True)
        assert rig.kept == []
