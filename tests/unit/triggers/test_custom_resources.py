"""Links that custom resources respond to, and the front that takes the responses."""

import re
import string
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.arn import Region
from lambent.model.custom_resource_hosts import AWS_HOSTS, HOSTS, host_of
from lambent.triggers.apis.inner_exchange import InnerExchange
from lambent.triggers.custom_resources.front import (
    DOCUMENT_BYTES_MAX,
    CustomResourceResponses,
    Respond,
    Verdict,
    nothing_waits,
)
from lambent.triggers.custom_resources.links import LIFETIME_S, LinkRefused, ResponseLinks

REGION = Region("eu-west-1")
KEY = "arn:aws:cloudformation:eu-west-1:000000000000:stack/s/1|Thing|r-1"
NOW = 1_800_000_000.0


class Rig:
    """A front, its clock, and what it has taken."""

    def __init__(self, verdict: Verdict = Verdict.TAKEN) -> None:
        self.clock = ManualClock(NOW)
        self.links = ResponseLinks(b"secret", "dev.test", self.clock)
        self.taken: list[tuple[str, bytes | None]] = []
        self.verdict = verdict
        self.front = CustomResourceResponses(self.links, self.sink)

    def sink(self, key: str, document: bytes | None, respond: Respond) -> None:
        self.taken.append((key, document))
        respond(self.verdict)

    def put(self, link: str, body: bytes = b"{}", method: str = "PUT") -> InnerExchange:
        parts = urlsplit(link)
        exchange = InnerExchange(method, parts.path, parts.query, [], body)
        self.front.handle(exchange)  # type: ignore[arg-type]
        return exchange


def code_of(exchange: InnerExchange) -> tuple[int, str]:
    """Status, and the code of the error."""
    text = exchange.response_body.decode()
    assert text.startswith("<?xml") == (exchange.status != 200)
    return exchange.status, text.partition("<Code>")[2].partition("<")[0]


def test_a_response_is_taken() -> None:
    """From the link as it is, and as other clients encode it; the response is S3's."""
    rig = Rig()
    link = rig.links.url(REGION, KEY)
    assert link.startswith(f"https://{host_of(REGION, 'dev.test')}/arn%3Aaws%3Acloudformation")
    for same in (link, link.replace("%3A", ":").replace("%7C", "|"), link.replace("%3A", "%3a")):
        done = rig.put(same, b'{"Status": "SUCCESS"}')
        assert code_of(done) == (200, "")
        headers = dict(done.response_headers)
        assert re.fullmatch('"[0-9a-f]{32}"', headers["ETag"])
        assert headers["x-amz-request-id"]
    assert rig.taken == [(KEY, b'{"Status": "SUCCESS"}')] * 3


@pytest.mark.parametrize(
    ("verdict", "status", "code"),
    [(Verdict.USED, 403, "AccessDenied"), (Verdict.UNKNOWN, 404, "NoSuchKey")],
)
def test_responses_that_nothing_waits_for(verdict: Verdict, status: int, code: str) -> None:
    """The link is good; whom it is for is gone, or has a response already."""
    rig = Rig(verdict)
    assert code_of(rig.put(rig.links.url(REGION, KEY))) == (status, code)
    unwired = CustomResourceResponses(rig.links, nothing_waits)
    parts = urlsplit(rig.links.url(REGION, KEY))
    exchange = InnerExchange("PUT", parts.path, parts.query, [], b"{}")
    unwired.handle(exchange)  # type: ignore[arg-type]
    assert exchange.status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "put"])
def test_other_methods(method: str) -> None:
    """Nothing can be read, listed or deleted by a link."""
    rig = Rig()
    assert code_of(rig.put(rig.links.url(REGION, KEY), method=method)) == (405, "MethodNotAllowed")
    assert rig.taken == []


def test_documents_that_are_too_large() -> None:
    """The sink learns that there was one, so that the operation can fail at once; the document
    itself is not held."""
    rig = Rig()
    link = rig.links.url(REGION, KEY)
    assert rig.put(link, b"x" * DOCUMENT_BYTES_MAX).status == 200
    assert rig.put(link, b"x" * (DOCUMENT_BYTES_MAX + 1)).status == 200
    parts = urlsplit(link)
    unread = InnerExchange("PUT", parts.path, parts.query, [], b"")
    rig.front.handle_oversized(unread)  # type: ignore[arg-type]
    assert [len(document or b"") for _, document in rig.taken] == [DOCUMENT_BYTES_MAX, 0, 0]
    assert rig.taken[2] == (KEY, None)


def test_a_link_expires() -> None:
    """After two hours, or when its maker wants it to."""
    rig = Rig()
    link, short = rig.links.url(REGION, KEY), rig.links.url(REGION, KEY, lifetime_s=60)
    rig.clock.advance(61)
    assert rig.put(link).status == 200
    assert b"Request has expired" in rig.put(short).response_body
    rig.clock.advance(LIFETIME_S)
    assert code_of(rig.put(link)) == (403, "AccessDenied")
    assert len(rig.taken) == 1


def test_links_of_others() -> None:
    """Another platform's secret signs nothing here; a platform on the same database does."""
    rig = Rig()
    foreign = ResponseLinks(b"other", "dev.test", rig.clock).url(REGION, KEY)
    own = ResponseLinks(b"secret", "other.test", rig.clock).url(REGION, KEY)
    assert rig.put(foreign).status == 403
    assert rig.put(own).status == 200


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", {}),
        ("/%ff", {}),
        ("/%", {}),
        ("/" + "a" * 8000, {}),
        ("/../x", {}),
        (None, {"X-Amz-Signature": ""}),
        (None, {"X-Amz-Signature": "0" * 64}),
        (None, {"X-Amz-Signature": "\ud800" * 64}),
        (None, {"X-Amz-Expires": "99999999"}),
        (None, {"X-Amz-Expires": "x"}),
        (None, {"X-Amz-Date": "20990101T000000Z"}),
        (None, {"X-Amz-Date": ""}),
    ],
)
def test_forged_links(path: str | None, query: dict[str, str]) -> None:
    """No part of a link can be changed."""
    rig = Rig()
    parts = urlsplit(rig.links.url(REGION, KEY))
    fields = dict(parse_qsl(parts.query)) | query
    changed = urlencode(fields, errors="surrogatepass")
    exchange = InnerExchange("PUT", path or parts.path, changed, [], b"{}")
    rig.front.handle(exchange)  # type: ignore[arg-type]
    assert code_of(exchange) == (403, "AccessDenied")
    assert rig.taken == []


def test_fields_that_are_there_twice_or_too_often() -> None:
    """A client cannot show one value to us and another one to others."""
    rig = Rig()
    link = rig.links.url(REGION, KEY)
    for more in ("&X-Amz-Expires=7200", "&a=1&a=2", "&a" * 1000, "&a=1" * 20):
        assert code_of(rig.put(link + more)) == (403, "AccessDenied")
    assert rig.put(f"{link}&x-id=PutObject").status == 200, "as AWS's SDK adds it"


def test_parts_cannot_be_shifted() -> None:
    """The end of one part of what is signed is not the beginning of another."""
    rig = Rig()
    parts = urlsplit(rig.links.url(REGION, f"7200\n{KEY}"))
    fields = dict(parse_qsl(parts.query))
    fields["X-Amz-Expires"] += "\n7200"
    path = rig.links.url(REGION, KEY).partition("?")[0].partition(".test")[2]
    exchange = InnerExchange("PUT", path, urlencode(fields), [], b"{}")
    rig.front.handle(exchange)  # type: ignore[arg-type]
    assert exchange.status == 403
    assert rig.taken == []


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_every_key_survives(key: str) -> None:
    """Whatever it is."""
    rig = Rig()
    assert rig.put(rig.links.url(REGION, key)).status == 200
    assert rig.taken == [(key, b"{}")]


@given(st.text(string.printable, max_size=200), st.text(string.printable, max_size=200))
def test_no_request_breaks_it(path: str, query: str) -> None:
    """And none passes."""
    with pytest.raises(LinkRefused):
        Rig().links.read(f"/{path}", query)


@pytest.mark.parametrize(
    ("host", "is_bucket", "is_of_aws"),
    [
        ("cloudformation-custom-resource-response-useast1.s3.localhost", True, False),
        ("cloudformation-custom-resource-response-useast1.s3.us-east-1.dev.test:5262", True, False),
        ("cloudformation-custom-resource-response-useast1.s3.amazonaws.com", True, True),
        ("cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com", True, True),
        ("bucket.s3.us-east-1.localhost", False, False),
        ("cloudformation-custom-resource-response-useast1.localhost", False, False),
        ("cloudformation-custom-resource-response-.s3.localhost", False, False),
        ("cloudformation-custom-resource-response-useast1.s3.amazonaws.com.evil", True, False),
        ("x.cloudformation-custom-resource-response-useast1.s3.localhost", False, False),
    ],
)
def test_hosts(host: str, is_bucket: bool, is_of_aws: bool) -> None:
    """AWS's own names are distinguished: no other party can register those."""
    assert (HOSTS.fullmatch(host) is not None) == is_bucket
    assert (AWS_HOSTS.fullmatch(host) is not None) == is_of_aws
