"""The platform's own buckets, with the clients that deployments use."""

import hashlib
import http.client
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from .functions_api import ACCOUNT, ROLE, endpoint, package

__all__ = ["endpoint"]
MB = 1 << 20


def client_of(endpoint: str, service: str = "s3", account: str = ACCOUNT, **options: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = client_of(endpoint)
    client.create_bucket(Bucket="deploys")
    return client


def code_of(work: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as refused:
        work(**params)
    return str(refused.value.response["Error"]["Code"])


def test_buckets(endpoint: str, s3: Any) -> None:
    """Are unique across accounts, have a region, and are deleted when they are empty."""
    assert s3.get_bucket_location(Bucket="deploys")["LocationConstraint"] is None
    west = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="in-the-west", CreateBucketConfiguration=west)
    assert s3.get_bucket_location(Bucket="in-the-west")["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket="in-the-west")["BucketRegion"] == "eu-west-1"
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert names == ["deploys", "in-the-west"]
    other = client_of(endpoint, account="222222222222")
    assert code_of(other.create_bucket, Bucket="deploys") == "BucketAlreadyExists"
    assert code_of(s3.create_bucket, Bucket="deploys") == "BucketAlreadyOwnedByYou"
    assert code_of(other.list_objects_v2, Bucket="deploys") == "AccessDenied"
    assert code_of(other.head_bucket, Bucket="deploys") == "403"
    assert code_of(s3.head_bucket, Bucket="nowhere") == "404"
    assert code_of(s3.create_bucket, Bucket="1.2.3.4") == "InvalidBucketName"
    s3.put_object(Bucket="in-the-west", Key="k")
    assert code_of(s3.delete_bucket, Bucket="in-the-west") == "BucketNotEmpty"
    s3.delete_object(Bucket="in-the-west", Key="k")
    s3.delete_bucket(Bucket="in-the-west")
    assert code_of(s3.head_bucket, Bucket="in-the-west") == "404"


def test_configurations_are_stored(s3: Any) -> None:
    """And shown; what was never configured is missed as in AWS."""
    where = {"Bucket": "deploys"}
    assert code_of(s3.get_bucket_policy, **where) == "NoSuchBucketPolicy"
    s3.put_bucket_policy(**where, Policy='{"Statement": []}')
    assert s3.get_bucket_policy(**where)["Policy"] == '{"Statement": []}'
    s3.delete_bucket_policy(**where)
    assert code_of(s3.get_bucket_policy, **where) == "NoSuchBucketPolicy"
    assert "Status" not in s3.get_bucket_versioning(**where)
    s3.put_bucket_versioning(**where, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(**where)["Status"] == "Enabled"
    block = {"BlockPublicAcls": True, "RestrictPublicBuckets": False}
    s3.put_public_access_block(**where, PublicAccessBlockConfiguration=block)
    shown = s3.get_public_access_block(**where)["PublicAccessBlockConfiguration"]
    assert shown == block
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    given = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
    s3.put_bucket_encryption(**where, **given)
    encryption = s3.get_bucket_encryption(**where)
    assert encryption["ServerSideEncryptionConfiguration"]["Rules"] == rules
    s3.delete_bucket_encryption(**where)
    tags = [{"Key": "team", "Value": "blue"}]
    s3.put_bucket_tagging(**where, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(**where)["TagSet"] == tags
    life = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "a"}}]}
    s3.put_bucket_lifecycle_configuration(**where, LifecycleConfiguration=life)
    assert s3.get_bucket_lifecycle_configuration(**where)["Rules"] == life["Rules"]
    assert s3.get_bucket_acl(**where)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert code_of(s3.get_bucket_website, **where) == "NoSuchWebsiteConfiguration"
    assert code_of(s3.put_bucket_acl, **where, ACL="public-read") == "NotImplemented"
    notify: dict[str, Any] = {"NotificationConfiguration": {}}
    assert code_of(s3.put_bucket_notification_configuration, **where, **notify) == "NotImplemented"


def test_objects(s3: Any) -> None:
    """Are stored with what was said of them, and read in whole and in parts."""
    where = {"Bucket": "deploys", "Key": "a b/ü+%2F.txt"}
    put = s3.put_object(
        **where, Body=b"0123456789", ContentType="text/plain", Metadata={"by": "me"}
    )
    assert put["ETag"] == f'"{hashlib.md5(b"0123456789", usedforsecurity=False).hexdigest()}"'
    got = s3.get_object(**where)
    assert got["Body"].read() == b"0123456789"
    assert (got["ContentType"], got["Metadata"]) == ("text/plain", {"by": "me"})
    assert s3.head_object(**where)["ContentLength"] == 10
    for text, body in (("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89")):
        part = s3.get_object(**where, Range=text)
        assert part["Body"].read() == body
        assert part["ContentRange"].endswith("/10")
    assert code_of(s3.get_object, **where, Range="bytes=10-") == "InvalidRange"
    assert code_of(s3.get_object, **where, IfNoneMatch=put["ETag"]) == "304"
    assert code_of(s3.get_object, **where, IfMatch='"x"') == "PreconditionFailed"
    assert code_of(s3.put_object, **where, Body=b"", IfNoneMatch="*") == "PreconditionFailed"
    assert code_of(s3.get_object, **where, VersionId="v") == "NoSuchVersion"
    assert code_of(s3.get_object, Bucket="deploys", Key="no") == "NoSuchKey"
    assert code_of(s3.head_object, Bucket="deploys", Key="no") == "404"
    assert code_of(s3.put_object, **where, Body=b"x", ContentMD5="AAAA") == "BadDigest"
    assert code_of(s3.put_object, **where, Body=b"x", ACL="public-read") == "NotImplemented"
    assert code_of(s3.put_object, Bucket="deploys", Key="k" * 1025) == "KeyTooLongError"
    copied = {"Bucket": "deploys", "Key": "copy"}
    s3.copy_object(**copied, CopySource=where)
    s3.put_object(**where, Body=b"")
    assert s3.get_object(**where)["Body"].read() == b""
    copy = s3.get_object(**copied)
    assert (copy["Body"].read(), copy["Metadata"]) == (b"0123456789", {"by": "me"})
    keys = [{"Key": where["Key"]}, {"Key": "copy"}, {"Key": "never"}]
    assert len(s3.delete_objects(Bucket="deploys", Delete={"Objects": keys})["Deleted"]) == 3
    assert code_of(s3.get_object, **copied) == "NoSuchKey"


def test_lists(s3: Any) -> None:
    """In the order of bytes, page by page, with common prefixes."""
    s3.create_bucket(Bucket="lists")
    keys = ["B", "a/1", "a/2", "a/b/3", "b", "c/4", "é/5"]
    for key in keys:
        s3.put_object(Bucket="lists", Key=key)
    for operation in ("list_objects_v2", "list_objects"):
        paginator = s3.get_paginator(operation)
        for size in (1, 2, 10):
            pages = paginator.paginate(Bucket="lists", PaginationConfig={"PageSize": size})
            assert [each["Key"] for each in pages.search("Contents[]") if each] == keys
            pages = list(
                paginator.paginate(
                    Bucket="lists", Delimiter="/", PaginationConfig={"PageSize": size}
                )
            )
            found = [each["Key"] for page in pages for each in page.get("Contents", [])]
            common = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
            assert (found, common) == (["B", "b"], ["a/", "c/", "é/"])
    below = s3.list_objects_v2(Bucket="lists", Prefix="a/", Delimiter="/")
    assert [each["Prefix"] for each in below["CommonPrefixes"]] == ["a/b/"]
    later = s3.list_objects_v2(Bucket="lists", StartAfter="a/2")
    assert [each["Key"] for each in later["Contents"]] == keys[3:]
    versions = s3.list_object_versions(Bucket="lists")["Versions"]
    assert [(each["Key"], each["VersionId"]) for each in versions] == [(k, "null") for k in keys]
    bad = {"Bucket": "lists", "ContinuationToken": "é"}
    assert code_of(s3.list_objects_v2, **bad) == "InvalidArgument"


def test_uploads_in_parts(s3: Any, tmp_path: Path) -> None:
    """Larger objects arrive in parts; those of an upload that is aborted are gone."""
    file = tmp_path / "large"
    file.write_bytes(os.urandom(11 * MB))
    s3.upload_file(
        str(file),
        "deploys",
        "large",
        Config=TransferConfig(multipart_threshold=MB, max_concurrency=2),
    )
    assert s3.head_object(Bucket="deploys", Key="large")["ETag"].endswith('-2"')
    s3.download_file("deploys", "large", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == file.read_bytes()
    part = s3.get_object(Bucket="deploys", Key="large", Range=f"bytes={8 * MB - 2}-{8 * MB + 1}")
    assert part["Body"].read() == file.read_bytes()[8 * MB - 2 : 8 * MB + 2]
    where = {"Bucket": "deploys", "Key": "p"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    assert s3.list_multipart_uploads(Bucket="deploys")["Uploads"][0]["Key"] == "p"
    tags = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=b"small")["ETag"]}
        for n in (1, 2)
    ]
    assert [each["Size"] for each in s3.list_parts(**upload)["Parts"]] == [5, 5]
    complete = s3.complete_multipart_upload
    assert code_of(complete, **upload, MultipartUpload={"Parts": tags}) == "EntityTooSmall"
    backwards = {"Parts": tags[::-1]}
    assert code_of(complete, **upload, MultipartUpload=backwards) == "InvalidPartOrder"
    wrong = {"Parts": [{**tags[0], "ETag": '"x"'}]}
    assert code_of(complete, **upload, MultipartUpload=wrong) == "InvalidPart"
    s3.abort_multipart_upload(**upload)
    assert code_of(s3.list_parts, **upload) == "NoSuchUpload"


def test_functions_come_from_a_bucket(endpoint: str, s3: Any) -> None:
    """Of their own account."""
    s3.put_object(Bucket="deploys", Key="app.zip", Body=package())
    functions = client_of(endpoint, "lambda")
    made = {"FunctionName": "f", "Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE}
    code = {"S3Bucket": "deploys", "S3Key": "app.zip"}
    functions.create_function(**made, Code=code)
    s3.delete_object(Bucket="deploys", Key="app.zip")
    assert functions.get_function(FunctionName="f")["Configuration"]["CodeSize"] == len(package())
    with pytest.raises(ClientError, match="S3 Error Code: NoSuchKey"):
        functions.create_function(**{**made, "FunctionName": "g"}, Code=code)
    other = client_of(endpoint, "lambda", account="222222222222")
    with pytest.raises(ClientError, match="S3 Error Code: AccessDenied"):
        other.create_function(**{**made, "Role": ROLE.replace("1", "2")}, Code=code)


def test_ways_to_say_it(endpoint: str, s3: Any) -> None:
    """A bucket in the host name, a presigned URL, a body in chunks of an unknown key."""
    address = urlsplit(endpoint)
    hosts = client_of(
        endpoint.replace("127.0.0.1", "localhost"),
        s3={"addressing_style": "virtual"},
        signature_version="s3v4",
    )
    signed = urlsplit(
        hosts.generate_presigned_url("put_object", Params={"Bucket": "deploys", "Key": "by/host"})
    )
    assert signed.hostname == "deploys.localhost"
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 80, timeout=20)
    target = f"{signed.path}?{signed.query}"
    connection.request("PUT", target, b"here", {"Host": signed.netloc})
    assert connection.getresponse().read() == b""
    assert s3.get_object(Bucket="deploys", Key="by/host")["Body"].read() == b"here"
    framed = b"4\r\nwiki\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "4",
        "Content-Encoding": "aws-chunked",
        "Host": signed.netloc,
    }
    connection.request("PUT", target, framed, headers)
    assert connection.getresponse().read() == b""
    got = s3.get_object(Bucket="deploys", Key="by/host")
    assert got["Body"].read() == b"wiki"
    assert "ContentEncoding" not in got
    connection.request("GET", "/deploys/by/host")
    response = connection.getresponse()
    assert response.status == 404, "an unsigned request is for no bucket"
    response.read()
    connection.close()


@pytest.mark.slow
def test_the_aws_cli(endpoint: str, s3: Any, tmp_path: Path) -> None:
    """`aws s3 cp` and `rm`, as deployments use them."""
    (tmp_path / "large").write_bytes(os.urandom(9 * MB))
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }
    for arguments in (
        ["mb", "s3://by-cli"],
        ["cp", str(tmp_path / "large"), "s3://by-cli/d/large"],
        ["cp", "s3://by-cli/d/large", str(tmp_path / "back")],
        ["ls", "s3://by-cli/d/"],
        ["rb", "--force", "s3://by-cli"],
    ):
        aws = [str(Path(sys.executable).with_name("aws")), "s3", *arguments]
        subprocess.run(aws, env=environment, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "large").read_bytes()
    assert code_of(s3.head_bucket, Bucket="by-cli") == "404"
