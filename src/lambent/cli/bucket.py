"""The bucket of the platform that the command line uploads packages and templates to."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import botocore.exceptions

from lambent.cli.client import open_client
from lambent.cli.output import CliError

NAME = "lambent-deploy-{account}-{region}"


class Bucket:
    """The bucket, made when the first object is uploaded. An object's key has a digest of its
    content."""

    def __init__(self, s3: Any, sts: Any) -> None:
        self._s3 = s3
        self._sts = sts
        self._name = ""

    def upload(self, key: str, content: bytes) -> str:
        """Upload an object unless it is there; returns the bucket. Raises `CliError` if the
        platform refuses it."""
        try:
            if not self._name:
                account = self._sts.get_caller_identity()["Account"]
                self._name = NAME.format(account=account, region=self._s3.meta.region_name)
                with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
                    self._s3.create_bucket(Bucket=self._name)
            try:
                self._s3.head_object(Bucket=self._name, Key=key)
            except botocore.exceptions.ClientError:
                self._s3.put_object(Bucket=self._name, Key=key, Body=content)
        except botocore.exceptions.ClientError as error:
            raise CliError(
                f"cannot upload {key} ({len(content):,} bytes) to the platform's S3: {error}"
            ) from error
        return self._name

    def remove(self, key: str) -> None:
        """Delete an object that was uploaded. Raises botocore's errors."""
        self._s3.delete_object(Bucket=self._name, Key=key)


OpenBucket = Callable[[], AbstractContextManager[Bucket]]


@contextmanager
def open_bucket(endpoint: str) -> Iterator[Bucket]:
    """The bucket of a platform; errors of botocore become a `CliError`."""
    with open_client("s3", endpoint) as s3, open_client("sts", endpoint) as sts:
        yield Bucket(s3, sts)
