"""Amazon S3. Configurations of buckets have other names in templates than in the API."""

from collections.abc import Mapping
from typing import Any

from lambent.model.errors import ApiError
from lambent.stacks.resources.conversion import as_text
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Name, Op, Part, Row, only, op

_ACLS = {
    "AuthenticatedRead": "authenticated-read",
    "AwsExecRead": "aws-exec-read",
    "BucketOwnerFullControl": "bucket-owner-full-control",
    "BucketOwnerRead": "bucket-owner-read",
    "LogDeliveryWrite": "log-delivery-write",
    "Private": "private",
    "PublicRead": "public-read",
    "PublicReadWrite": "public-read-write",
}
_TARGETS = {
    "LambdaConfigurations": ("LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    "QueueConfigurations": ("QueueConfigurations", "Queue", "QueueArn"),
    "TopicConfigurations": ("TopicConfigurations", "Topic", "TopicArn"),
}
_CORS = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
_RULE = {
    "Id": "ID",
    "Status": "Status",
    "AbortIncompleteMultipartUpload": "AbortIncompleteMultipartUpload",
    "NoncurrentVersionExpiration": "NoncurrentVersionExpiration",
}
_EXPIRATION = {
    "ExpirationInDays": "Days",
    "ExpirationDate": "Date",
    "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
}
_TRANSITION = {
    "TransitionInDays": "Days",
    "TransitionDate": "Date",
    "StorageClass": "StorageClass",
}
_NONCURRENT_TRANSITION = {
    "TransitionInDays": "NoncurrentDays",
    "NewerNoncurrentVersions": "NewerNoncurrentVersions",
    "StorageClass": "StorageClass",
}
_FILTER = {
    "Prefix": "Prefix",
    "ObjectSizeGreaterThan": "ObjectSizeGreaterThan",
    "ObjectSizeLessThan": "ObjectSizeLessThan",
}
_LISTED = {
    "Transition": ("Transitions", _TRANSITION),
    "Transitions": ("Transitions", _TRANSITION),
    "NoncurrentVersionTransition": ("NoncurrentVersionTransitions", _NONCURRENT_TRANSITION),
    "NoncurrentVersionTransitions": ("NoncurrentVersionTransitions", _NONCURRENT_TRANSITION),
}


def _renamed(value: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A structure with the API's names; others are kept, and refused if they are unknown."""
    return {names.get(name, name): inner for name, inner in value.items()}


def _notifications(value: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, inner in value.items():
        if name == "EventBridgeConfiguration":
            if str(inner.get("EventBridgeEnabled", True)).lower() == "true":
                made[name] = {}
        elif name in _TARGETS:
            member, theirs, ours = _TARGETS[name]
            made[member] = [_notification(each, theirs, ours) for each in inner]
        else:
            made[name] = inner
    return made


def _notification(value: Mapping[str, Any], theirs: str, ours: str) -> dict[str, Any]:
    made = _renamed(value, {theirs: ours})
    if "Event" in made:
        made["Events"] = [made.pop("Event")]
    if "Filter" in made:
        rules = (made["Filter"].get("S3Key") or {}).get("Rules") or []
        made["Filter"] = {"Key": {"FilterRules": rules}}
    return made


def _rule(value: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of a lifecycle."""
    made: dict[str, Any] = {}
    expiration: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    for name, inner in value.items():
        if name in _RULE:
            made[_RULE[name]] = inner
        elif name in _EXPIRATION:
            expiration[_EXPIRATION[name]] = inner
        elif name in _FILTER:
            chosen[_FILTER[name]] = inner
        elif name == "TagFilters":
            chosen["Tags"] = inner
        elif name == "NoncurrentVersionExpirationInDays":
            made["NoncurrentVersionExpiration"] = {"NoncurrentDays": inner}
        elif name in _LISTED:
            member, names = _LISTED[name]
            listed = inner if isinstance(inner, list) else [inner]
            made.setdefault(member, []).extend(_renamed(each, names) for each in listed)
        else:
            raise ApiError("ValidationError", f"Encountered unsupported property {name}")
    if expiration:
        made["Expiration"] = expiration
    tags = chosen.pop("Tags", [])
    if len(chosen) + len(tags) > 1:
        made["Filter"] = {"And": {**chosen, **({"Tags": tags} if tags else {})}}
    else:
        made["Filter"] = {"Tag": tags[0]} if tags else chosen or {"Prefix": ""}
    return made


def _website(value: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(value)
    if "IndexDocument" in made:
        made["IndexDocument"] = {"Suffix": made["IndexDocument"]}
    if "ErrorDocument" in made:
        made["ErrorDocument"] = {"Key": made["ErrorDocument"]}
    if "RoutingRules" in made:
        names = {"RedirectRule": "Redirect", "RoutingRuleCondition": "Condition"}
        made["RoutingRules"] = [_renamed(each, names) for each in made["RoutingRules"]]
    return made


def _encryption(value: Mapping[str, Any]) -> dict[str, Any]:
    names = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
    rules = value.get("ServerSideEncryptionConfiguration") or []
    return {"Rules": [_renamed(rule, names) for rule in rules]}


_FORMS = {
    "BucketEncryption": _encryption,
    "CorsConfiguration": lambda value: {
        "CORSRules": [_renamed(rule, _CORS) for rule in value.get("CorsRules") or []]
    },
    "LifecycleConfiguration": lambda value: {
        "Rules": [_rule(rule) for rule in value.get("Rules") or []]
    },
    "LoggingConfiguration": lambda value: {
        "LoggingEnabled": {
            "TargetPrefix": "",
            **_renamed(
                value, {"DestinationBucketName": "TargetBucket", "LogFilePrefix": "TargetPrefix"}
            ),
        }
    },
    "NotificationConfiguration": _notifications,
    "WebsiteConfiguration": _website,
}


def _prepare(properties: Properties, step: Step) -> dict[str, Any]:
    """Configurations as the API has them. `Location` is where the bucket is made."""
    made = dict(properties)
    for name, form in _FORMS.items():
        if name in made:
            if not isinstance(made[name], Mapping):
                raise ApiError("ValidationError", f"Value of property {name} must be an object.")
            made[name] = form(made[name])
    acl = properties.get("AccessControl")
    if acl is not None:
        if acl not in _ACLS:
            raise ApiError("ValidationError", f"Unknown value of AccessControl: {acl}")
        made["AccessControl"] = _ACLS[acl]
        if acl == "Private":
            # What a bucket is anyway, also if it does not allow ACLs.
            del made["AccessControl"]
    tags = {name: value for name, value in step.tags.items() if not name.startswith("aws:")}
    tags |= {tag["Key"]: as_text(tag["Value"]) for tag in properties.get("Tags") or ()}
    if tags:
        made["TagSet"] = [{"Key": name, "Value": value} for name, value in tags.items()]
    region = step.caller.scope.region
    if region != "us-east-1":
        made["Location"] = {"LocationConstraint": region}
    return made


def _part(name: str, put: str, member: str, remove: Op | None) -> Part:
    """A configuration with operations of its own."""
    return Part(of=(name,), put=only(put, **{member: f"{{{name}}}"}), remove=remove)


BUCKET = Row(
    name="AWS::S3::Bucket",
    service="s3",
    named=Name("BucketName", 63, is_lower=True),
    create=only(
        "CreateBucket",
        Bucket="{BucketName}",
        CreateBucketConfiguration="{Location}",
        ObjectLockEnabledForBucket="{ObjectLockEnabled}",
        ObjectOwnership="{OwnershipControls.Rules.0.ObjectOwnership}",
    ),
    is_idempotent=True,
    physical="{BucketName}",
    keys={"Bucket": "{$id}"},
    read=only("HeadBucket"),
    delete=only("DeleteBucket"),
    prepare=_prepare,
    uses=frozenset({"Tags"}),
    attributes={
        "Arn": "arn:aws:s3:::{$id}",
        "DomainName": "{$id}.s3.amazonaws.com",
        "DualStackDomainName": "{$id}.s3.dualstack.{$region}.amazonaws.com",
        "RegionalDomainName": "{$id}.s3.{$region}.amazonaws.com",
        "WebsiteURL": "http://{$id}.s3-website-{$region}.amazonaws.com",
    },
    parts=(
        _part(
            "VersioningConfiguration",
            "PutBucketVersioning",
            "VersioningConfiguration",
            only("PutBucketVersioning", VersioningConfiguration={"Status": "Suspended"}),
        ),
        _part(
            "OwnershipControls",
            "PutBucketOwnershipControls",
            "OwnershipControls",
            only("DeleteBucketOwnershipControls"),
        ),
        _part(
            "PublicAccessBlockConfiguration",
            "PutPublicAccessBlock",
            "PublicAccessBlockConfiguration",
            only("DeletePublicAccessBlock"),
        ),
        _part("AccessControl", "PutBucketAcl", "ACL", only("PutBucketAcl", ACL="private")),
        _part(
            "BucketEncryption",
            "PutBucketEncryption",
            "ServerSideEncryptionConfiguration",
            only("DeleteBucketEncryption"),
        ),
        _part("CorsConfiguration", "PutBucketCors", "CORSConfiguration", only("DeleteBucketCors")),
        _part(
            "LifecycleConfiguration",
            "PutBucketLifecycleConfiguration",
            "LifecycleConfiguration",
            only("DeleteBucketLifecycle"),
        ),
        _part(
            "LoggingConfiguration",
            "PutBucketLogging",
            "BucketLoggingStatus",
            only("PutBucketLogging", BucketLoggingStatus={}),
        ),
        _part(
            "WebsiteConfiguration",
            "PutBucketWebsite",
            "WebsiteConfiguration",
            only("DeleteBucketWebsite"),
        ),
        Part(
            of=("TagSet",),
            put=only("PutBucketTagging", Tagging={"TagSet": "{TagSet}"}),
            remove=only("DeleteBucketTagging"),
        ),
        _part(
            "NotificationConfiguration",
            "PutBucketNotificationConfiguration",
            "NotificationConfiguration",
            only("PutBucketNotificationConfiguration", NotificationConfiguration={}),
        ),
    ),
    note="A bucket with objects cannot be deleted, as in AWS.",
)

BUCKET_POLICY = Row(
    name="AWS::S3::BucketPolicy",
    service="s3",
    create=op("PutBucketPolicy", Policy="{PolicyDocument}"),
    physical="{Bucket}",
    keys={"Bucket": "{Bucket}"},
    read=only("GetBucketPolicy"),
    update=(op("PutBucketPolicy", Policy="{PolicyDocument}"),),
    delete=only("DeleteBucketPolicy"),
)

ROWS = (BUCKET, BUCKET_POLICY)
