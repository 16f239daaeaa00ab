"""Notifications of object stores, as MinIO and Ceph send them."""

import base64
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .rig import BEARER, SECRET, Rig

pytestmark = pytest.mark.anyio
RECORDED = Path(__file__).with_name("recorded")
MINIO = json.loads((RECORDED / "minio.json").read_text())
CEPH = json.loads((RECORDED / "ceph.json").read_text())


async def test_minio() -> None:
    """The function gets what S3 sends, member by member."""
    async with Rig("s3") as rig:
        assert (await rig.send(MINIO, BEARER)).status == 202
        assert rig.kept == [
            {
                "Records": [
                    {
                        "eventVersion": "2.1",
                        "eventSource": "aws:s3",
                        "awsRegion": "us-west-2",
                        "eventTime": "2019-10-22T09:27:27.012Z",
                        "eventName": "ObjectCreated:Put",
                        "userIdentity": {"principalId": "AKIAIOSFODNN7EXAMPLE"},
                        "requestParameters": {"sourceIPAddress": "172.16.118.255"},
                        "responseElements": {
                            "x-amz-request-id": "15CFEDF8D4736ED9",
                            "x-amz-id-2": "",
                        },
                        "s3": {
                            "s3SchemaVersion": "1.0",
                            "configurationId": "Config",
                            "bucket": {
                                "name": "anze",
                                "ownerIdentity": {"principalId": "AKIAIOSFODNN7EXAMPLE"},
                                "arn": "arn:aws:s3:::anze",
                            },
                            "object": {
                                "key": "summer+photos/a%2Bb.jpg",
                                "size": 224662,
                                "eTag": "5fc7298143efe1276d39a3466d4e255f-1",
                                "versionId": "1",
                                "sequencer": "15CFEDF8D5304D1A",
                            },
                        },
                    }
                ]
            }
        ]


async def test_ceph() -> None:
    """Its own region and times, keys that are not encoded, sizes as texts."""
    async with Rig("s3") as rig:
        assert (await rig.send(CEPH, BEARER)).status == 202
        (record,) = rig.kept[0]["Records"]
        assert record["eventTime"] == "2019-11-22T13:47:35.124Z"
        assert record["awsRegion"] == "zonegroup1"
        assert record["s3"]["bucket"]["arn"] == "arn:aws:s3:::mybucket1"
        assert record["s3"]["object"] == {
            "key": "my+image%2B1.jpg",
            "size": 1024,
            "eTag": "37b51d194a7513e45b56f6524f2d51f2",
            "sequencer": "F7E6D75DC742D108",
        }


async def test_deletions_have_neither_size_nor_tag() -> None:
    deletion = copy.deepcopy(MINIO)
    deletion["Records"][0]["eventName"] = "s3:ObjectRemoved:Delete"
    async with Rig("s3") as rig:
        assert (await rig.send(deletion, BEARER)).status == 202
        (record,) = rig.kept[0]["Records"]
        assert record["eventName"] == "ObjectRemoved:Delete"
        assert set(record["s3"]["object"]) == {"key", "versionId", "sequencer"}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (BEARER, ""),
        ({"authorization": SECRET}, ""),
        ({"Authorization": "Basic " + base64.b64encode(f"x:{SECRET}".encode()).decode()}, ""),
        ({}, f"a=b&access_token={SECRET}"),
    ],
)
async def test_where_the_secret_may_be(headers: Mapping[str, str], query: str) -> None:
    """As MinIO sends it, with and without a word before, as Ceph does, and in the address."""
    async with Rig("s3") as rig:
        assert (await rig.send(MINIO, headers, query=query)).status == 202


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"Authorization": f"Bearer {SECRET}x"}, ""),
        ({"Authorization": "Bearer"}, ""),
        ({"Authorization": "Basic !"}, ""),
        ({"Authorization": "Bearer \xff\xfe"}, ""),
        ({"Authorization": f"Bearer {SECRET},Bearer x"}, ""),
        ({}, "access_token="),
        ({}, f"token={SECRET}"),
        ({}, "&".join(["a=b"] * 300) + f"&access_token={SECRET}"),
    ],
)
async def test_who_does_not_know_it(headers: Mapping[str, str], query: str) -> None:
    async with Rig("s3") as rig:
        assert (await rig.send(MINIO, headers, query=query)).status == 401
        assert rig.kept == []


async def test_minio_asks_whether_someone_is_there() -> None:
    """With HEAD, before it sends."""
    async with Rig("s3") as rig:
        assert (await rig.send(b"", BEARER, method="HEAD")).status == 200


def _changed(path: str, value: Any) -> Any:
    document = copy.deepcopy(MINIO)
    record = document["Records"][0]
    *parents, last = path.split(".")
    for part in parents:
        record = record[part]
    record[last] = value
    return document


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"Records": []},
        {"Records": [1]},
        {"Records": [{}]},
        {"Records": MINIO["Records"] * 1001},
        *(
            _changed(path, value)
            for path, value in (
                ("s3", None),
                ("s3.object", []),
                ("s3.object.key", 1),
                ("s3.object.size", "many"),
                ("s3.bucket.name", {}),
                ("eventTime", "yesterday"),
                ("eventName", None),
                ("userIdentity", "me"),
                ("responseElements", {"x-amz-id-2": 5}),
                ("responseElements", "x"),
            )
        ),
    ],
)
async def test_records_that_are_refused(body: Any) -> None:
    async with Rig("s3") as rig:
        assert (await rig.send(body, BEARER)).status == 400
        assert rig.kept == []
