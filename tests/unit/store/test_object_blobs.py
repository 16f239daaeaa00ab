"""Blobs in a bucket, against a server that speaks S3."""

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lambent.assembly.storage import open_storage
from lambent.instance.data_directory import DataDirectory
from lambent.kit.clock import ManualClock, SystemClock
from lambent.settings import Settings
from lambent.store.blobs import TRASH_S, key_of
from lambent.store.object_blobs import ObjectBlobs
from lambent.store.problems import StoreError, StoreUnavailable
from lambent.store.settings import StoreSettings

A, B = key_of(b"a"), key_of(b"b")
SECRET = "a-secret-that-nobody-sees"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def settings(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> StoreSettings:
    """Of a new bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    bucket = request.node.name.replace("_", "-").lower()[:60]
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=bucket)
    return StoreSettings(blobs_url=f"s3://{bucket}/some/packages", blobs_endpoint=endpoint)


def test_kept_and_deleted(settings: StoreSettings) -> None:
    """Payloads are apart from packages."""
    blobs = ObjectBlobs(settings, "", ManualClock())
    events = ObjectBlobs(settings, "-events", ManualClock())
    blobs.put(A, b"a")
    blobs.put(A, b"a")
    events.put("17", b"event")
    assert blobs.get(A) == b"a"
    assert blobs.exists(A)
    assert list(blobs.list_keys()) == [A]
    assert list(events.list_keys()) == ["17"]
    blobs.delete(A)
    blobs.delete(A)
    assert not blobs.exists(A)
    with pytest.raises(FileNotFoundError):
        blobs.get(A)


def test_another_database(settings: StoreSettings) -> None:
    """As in a directory: blobs are not taken from another database, or by a new one."""
    blobs = ObjectBlobs(settings, "", ManualClock())
    blobs.belong_to("first", is_new=True)
    blobs.put(A, b"a")
    blobs.belong_to("first", is_new=False)
    for is_new in (True, False):
        with pytest.raises(StoreError, match="Nothing was deleted"):
            blobs.belong_to("second", is_new=is_new)
    assert list(blobs.list_keys()) == [A]
    blobs.delete(A)
    blobs.belong_to("second", is_new=True)


def test_the_trash_is_kept_for_a_day(settings: StoreSettings) -> None:
    clock = ManualClock()
    blobs = ObjectBlobs(settings, "", clock)
    for key, data in ((A, b"a"), (B, b"b")):
        blobs.put(key, data)
        blobs.discard(key)
    blobs.discard(A)
    assert list(blobs.list_keys()) == []
    assert blobs.recover(A)
    assert not blobs.recover(A)
    assert blobs.get(A) == b"a"
    clock.advance(TRASH_S - 1)
    assert blobs.expired() == []
    clock.advance(1)
    (trashed,) = blobs.expired()
    assert trashed.size == 1
    blobs.empty_trash()
    assert not blobs.recover(B)


def test_a_bucket_that_cannot_be_reached(
    settings: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """It is an outage, logged once, and no secret is in the log."""
    caplog.set_level(logging.DEBUG)
    there = StoreSettings(
        blobs_url="s3://there-is-none/packages", blobs_endpoint=settings.blobs_endpoint
    )
    blobs = ObjectBlobs(there, "", ManualClock())
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            blobs.put(A, b"a")
    said = [message for message in caplog.messages if "does not answer" in message]
    assert len(said) == 1
    assert "s3://there-is-none/packages" in said[0]
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url", ["s3://bucket", "s3://", "https://bucket/x", "s3://id:secret@bucket/x", "s3://b/x?y=z"]
)
def test_urls_that_will_not_do(url: str) -> None:
    """The message does not contain the URL, which may contain secrets."""
    with pytest.raises(StoreError, match="s3://bucket/prefix") as refused:
        ObjectBlobs(StoreSettings(blobs_url=url), "", SystemClock())
    assert "secret" not in str(refused.value)


def test_one_place_only() -> None:
    settings = StoreSettings(blobs_url="s3://bucket/x", blobs_dir="/srv/x")
    with pytest.raises(StoreError, match="at the same time"):
        ObjectBlobs(settings, "", SystemClock())


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_platform_keeps_them_there(settings: StoreSettings, tmp_path: Path) -> None:
    """It opens them with its database and finds them again."""
    for _ in range(2):
        async with open_storage(
            Settings(store=settings), DataDirectory(tmp_path), SystemClock()
        ) as storage:
            storage.blobs.put(A, b"a")
            assert await storage.blobs.read(A) == b"a"
            assert not (tmp_path / "state" / "blobs").exists()
