"""Where requests for other services go, and as what."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.services.endpoints import (
    answer_headers,
    find_endpoint,
    for_local_services,
    headers_of,
    plain_host,
    target_of,
    unknown_service,
    with_local_services,
    without_chunks,
)
from tests.unit.services.foreign import ACCOUNT, Foreign, caller

STAND_IN = "http://127.0.0.1:1"
OURS = ("lambda", "logs")
OWN = AwsSettings(sqs=ServiceSettings(endpoint_url="http://sqs.test/", deadline_s=7))


def test_which_server_serves_a_service() -> None:
    """Settings come first, then the emulator; DynamoDB Streams has its own settings."""
    own = find_endpoint(OWN, STAND_IN, "sqs", "AmazonSQS.ListQueues")
    assert own is not None
    assert (own.url, own.deadline_s, own.is_local_services) == ("http://sqs.test", 7, False)
    other = find_endpoint(OWN, STAND_IN, "ssm", "")
    assert other is not None
    assert (other.url, other.is_local_services) == (STAND_IN, True)
    assert find_endpoint(OWN, None, "ssm", "") is None
    assert find_endpoint(OWN, STAND_IN, "ec2", "") is None
    streams = AwsSettings(dynamodbstreams=ServiceSettings(endpoint_url="http://streams.test"))
    found = find_endpoint(streams, None, "dynamodb", "DynamoDBStreams_20120810.ListStreams")
    assert found is not None
    assert found.url == "http://streams.test"
    assert find_endpoint(streams, None, "dynamodb", "DynamoDB_20120810.ListTables") is None


def test_settings_with_the_local_services() -> None:
    """It is the endpoint of what has none."""
    settings = with_local_services(OWN, STAND_IN)
    assert settings.sqs.endpoint_url == "http://sqs.test/"
    assert settings.s3.endpoint_url == settings.kinesis.endpoint_url == STAND_IN


def test_cures() -> None:
    """The error says what would help, and nothing else."""
    assert "--services" in unknown_service("ssm", OURS, has_local_services=False).message
    assert "endpoint_url" not in unknown_service("ssm", OURS, has_local_services=False).message
    assert (
        "[aws.sqs] endpoint_url" in unknown_service("sqs", OURS, has_local_services=False).message
    )
    assert "--services" not in unknown_service("ec2", OURS, has_local_services=True).message


@given(
    path=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40),
)
def test_a_target_means_what_was_sent(path: str, query: str) -> None:
    """It is plain ASCII without a fragment, and unchanged except for invalid characters."""
    target = target_of(Foreign(path=f"/{path}", query=query))
    assert target.isascii()
    assert "#" not in target
    sent = f"/{path}?{query}" if query else f"/{path}"
    assert unquote(target, encoding="latin-1") == unquote(sent, encoding="latin-1")
    if sent.isascii() and sent.isprintable() and "#" not in sent:
        assert target == sent


def test_headers_of_the_connection_stay() -> None:
    """Text in UTF-8 keeps its bytes."""
    name = "ä".encode().decode("latin-1")
    exchange = Foreign(
        headers={"host": "h", "connection": "x", "content-length": "1", "x-amz-meta-a": name}
    )
    assert headers_of(exchange) == {"host": "h", "x-amz-meta-a": "ä"}


def test_the_local_services_get_no_secrets() -> None:
    """Neither signatures nor tokens nor keys; the account replaces the key, in the header also for
    a link."""
    signed = {
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIASECRET/d/r/s/aws4_request, Signature=abc",
        "x-amz-security-token": "token",
        "x-amz-target": "AmazonSQS.ListQueues",
    }
    headers, target = for_local_services(signed, "/", caller())
    assert target == "/"
    assert f"Credential={ACCOUNT}/20000101/eu-west-1/sqs/aws4_request" in headers["authorization"]
    assert "x-amz-security-token" not in headers
    link = (
        "/bkt/k?versionId=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIASECRET%2Fd"
        "&X-Amz-Date=1&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=token"
        "&X-Amz-Signature=abc"
    )
    headers, target = for_local_services({}, link, caller("s3"))
    assert target == "/bkt/k?versionId=1"
    assert ACCOUNT in headers["authorization"]
    assert for_local_services({}, "/bkt/k", caller(None)) == ({}, "/bkt/k")


def test_a_body_that_was_put_together() -> None:
    """Its headers no longer announce chunks; a body in chunks is not changed."""
    headers = {
        "content-encoding": "gzip, aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    assert without_chunks(headers, 70) == headers
    assert without_chunks(headers, 5) == {
        "content-encoding": "gzip",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    }


def test_hosts_without_names() -> None:
    """Addresses stay, names become the one that means nothing."""
    for host in ("127.0.0.1:5262", "10.0.0.1", "[::1]:5262"):
        assert plain_host(host) == host
    assert plain_host("bucket.s3.localhost:5262") == "localhost:5262"
    assert plain_host("x.execute-api.localhost") == "localhost"
    assert plain_host("a:5262, b.s3.localhost") == "localhost"


def test_answers_give_pages_no_permission() -> None:
    """Headers about the connection and permissions are removed."""
    raw = (
        (b"ETag", b'"x"'),
        (b"Access-Control-Allow-Origin", b"*"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Content-Length", b"3"),
    )
    assert answer_headers(raw) == [("ETag", '"x"')]
