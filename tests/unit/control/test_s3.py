"""The S3 door, against a server that speaks S3."""

import io
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lambent.aws.clients import AwsClients
from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.control import s3
from lambent.control.s3 import S3Objects
from lambent.kit.clock import SystemClock
from lambent.model.arn import Scope
from tests.unit.control.control_room import package, refused

pytestmark = pytest.mark.anyio
REGION = "us-east-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def _objects(endpoint: str, deadline_s: float = 60) -> S3Objects:
    clients = AwsClients(AwsSettings(s3=ServiceSettings(endpoint_url=endpoint)))
    return S3Objects(clients, SystemClock(), deadline_s=deadline_s)


async def fetch(objects: S3Objects, bucket: str, key: str, version: str | None = None) -> bytes:
    return await objects.fetch(
        scope=Scope("111111111111", REGION), bucket=bucket, key=key, version=version
    )


@pytest.mark.slow
async def test_objects_and_their_versions(endpoint: str) -> None:
    """The newest version, or the one that is named."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket="versioned")
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket="versioned", Key="a/b.zip", Body=package("old"))
    client.put_object(Bucket="versioned", Key="a/b.zip", Body=io.BytesIO(package("new")))
    objects = _objects(endpoint)
    assert await fetch(objects, "versioned", "a/b.zip") == package("new")
    assert await fetch(objects, "versioned", "a/b.zip", old["VersionId"]) == package("old")


@pytest.mark.slow
async def test_what_s3_refuses_is_said_in_awss_words(endpoint: str) -> None:
    """Clients compare these texts."""
    objects = _objects(endpoint)
    assert (await refused(fetch(objects, "nowhere", "k"))).message == (
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The"
        " specified bucket does not exist"
    )
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket="empty")
    assert (await refused(fetch(objects, "empty", "k"))).message == (
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified"
        " key does not exist."
    )


async def test_an_unreachable_s3_is_an_error_of_the_request() -> None:
    """Nothing listens there; the caller gets an error instead of waiting."""
    objects = _objects("http://127.0.0.1:1")
    error = await refused(fetch(objects, "b", "k"))
    assert error.code == "InvalidParameterValueException"
    assert "S3 Error Code: EndpointConnectionError" in error.message


@pytest.mark.slow
async def test_size_and_time_are_bounded(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that is too large, or arrives too slowly, is refused."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket="large")
    client.put_object(Bucket="large", Key="k", Body=bytes(2000))
    late = _objects(endpoint, deadline_s=-1)
    assert "RequestTimeout" in (await refused(fetch(late, "large", "k"))).message
    monkeypatch.setattr(s3, "CODE_SIZE_UNZIPPED_MAX", 1999)
    objects = _objects(endpoint)
    assert (await refused(fetch(objects, "large", "k"))).message.startswith("Unzipped size must")


async def test_an_s3_of_ones_own_needs_no_credentials(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an endpoint is set and nothing else, requests are signed anyway."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket="own")
    client.put_object(Bucket="own", Key="k", Body=b"bytes")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    objects = _objects(endpoint)
    assert await fetch(objects, "own", "k") == b"bytes"
