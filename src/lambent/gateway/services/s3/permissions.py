"""What each operation on buckets and objects needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.control.buckets.objects import copy_source
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    Difference,
    Key,
    Need,
    Needs,
    Resource,
    Values,
    some,
)


async def _bucket(asked: Asked) -> Sequence[Target]:
    return [Target(f"arn:aws:s3:::{asked.params['Bucket']}", asked.scope.account)]


async def _object(asked: Asked) -> Sequence[Target]:
    return [_target(asked, asked.params["Bucket"], asked.params["Key"])]


async def _objects(asked: Asked) -> Sequence[Target]:
    bucket = asked.params["Bucket"]
    return [_target(asked, bucket, each["Key"]) for each in asked.params["Delete"]["Objects"]]


async def _source(asked: Asked) -> Sequence[Target]:
    return [_target(asked, *copy_source(asked.params))]


def _target(asked: Asked, bucket: str, key: str) -> Target:
    return Target(f"arn:aws:s3:::{bucket}/{key}", asked.scope.account)


async def _prefix(asked: Asked) -> Values:
    return some("s3:prefix", [asked.params.get("Prefix", "")])


_BUCKET = Resource(("bucket",), _bucket)
_OBJECT = Resource(("object",), _object)
_OBJECTS = Resource(("object",), _objects)
_SOURCE = Resource(("object",), _source)
_PREFIX = Key("s3:prefix", _prefix)

_OF_BUCKETS = {
    "CreateBucket": "CreateBucket",
    "DeleteBucket": "DeleteBucket",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketAcl": "GetBucketAcl",
    "GetBucketLogging": "GetBucketLogging",
    "GetBucketRequestPayment": "GetBucketRequestPayment",
    "GetBucketWebsite": "GetBucketWebsite",
    "GetBucketPolicyStatus": "GetBucketPolicyStatus",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "PutBucketVersioning": "PutBucketVersioning",
    "GetBucketVersioning": "GetBucketVersioning",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketPolicy": "PutBucketPolicy",
    "GetBucketPolicy": "GetBucketPolicy",
    "DeleteBucketPolicy": "DeleteBucketPolicy",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketTagging": "PutBucketTagging",
    "GetBucketTagging": "GetBucketTagging",
    "DeleteBucketTagging": "PutBucketTagging",
    "PutBucketCors": "PutBucketCORS",
    "GetBucketCors": "GetBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "PutBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
}
"""Their actions, without `s3:`."""
_OF_OBJECTS = {
    "PutObject": "PutObject",
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "DeleteObject": "DeleteObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
}

PERMISSIONS: Mapping[str, Needs] = {
    **{name: (Need(f"s3:{action}", _BUCKET),) for name, action in _OF_BUCKETS.items()},
    **{name: (Need(f"s3:{action}", _OBJECT),) for name, action in _OF_OBJECTS.items()},
    **{
        name: (Need("s3:ListBucket", _BUCKET, (_PREFIX,)),)
        for name in ("HeadBucket", "ListObjects", "ListObjectsV2")
    },
    "ListBuckets": (Need("s3:ListAllMyBuckets", NOTHING),),
    "ListObjectVersions": (Need("s3:ListBucketVersions", _BUCKET, (_PREFIX,)),),
    "DeleteObjects": (Need("s3:DeleteObject", _OBJECTS),),
    "CopyObject": (Need("s3:PutObject", _OBJECT), Need("s3:GetObject", _SOURCE)),
}

_NOT_KEPT = "Buckets here have no such thing."
_NOT_ASKED = "Policies here cannot ask for it."
_KEYS_NOT_KEPT = (
    *("AccessGrantsInstanceArn", "AccessPointNetworkOrigin", "AccessPointTag/${TagKey}"),
    *("DataAccessPointAccount", "DataAccessPointArn", "ExistingObjectTag/<key>"),
    *("RequestObjectTag/<key>", "RequestObjectTagKeys", "object-lock-legal-hold"),
    *("object-lock-mode", "object-lock-remaining-retention-days"),
    *("object-lock-retain-until-date", "x-amz-acl", "x-amz-bucket-namespace"),
    *("x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp"),
    *("x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-object-ownership"),
    *("x-amz-server-side-encryption-customer-algorithm", "x-amz-website-redirect-location"),
)
_KEYS_NOT_ASKED = (
    *("ObjectCreationOperation", "ResourceAccount", "TlsVersion", "authType", "delimiter"),
    *("if-match", "if-none-match", "locationconstraint", "max-keys", "signatureAge"),
    *("signatureversion", "x-amz-content-sha256", "x-amz-copy-source"),
    *("x-amz-metadata-directive", "x-amz-server-side-encryption"),
    *("x-amz-server-side-encryption-aws-kms-key-id", "x-amz-storage-class"),
)
_CREATION = ("s3:CreateBucket",)
DIFFERENCES = (
    *(Difference(f"key s3:{key}", False, _NOT_KEPT) for key in _KEYS_NOT_KEPT),
    *(Difference(f"key s3:{key}", False, _NOT_ASKED) for key in _KEYS_NOT_ASKED),
    Difference("key aws:RequestTag/${TagKey}", False, _NOT_ASKED, _CREATION),
    Difference("key aws:TagKeys", False, _NOT_ASKED, _CREATION),
    Difference("resource accesspoint", False, _NOT_KEPT),
    Difference("resource accesspointobject", False, _NOT_KEPT),
)
RESOURCE_NAMES = (
    ("bucket", "`arn:aws:s3:::BUCKET`"),
    ("object", "`arn:aws:s3:::BUCKET/KEY`"),
)
