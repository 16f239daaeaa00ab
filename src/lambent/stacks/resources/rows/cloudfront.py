"""Amazon CloudFront: distributions, policies, functions at the edge."""

from collections.abc import Mapping
from typing import Any

from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Call, Find, Part, Retag, Row, only, op

_SERVICE = "cloudfront"
_RENAMED = {
    "AcmCertificateArn": "ACMCertificateArn",
    "IamCertificateId": "IAMCertificateId",
    "SslSupportMethod": "SSLSupportMethod",
}


def _prepare(properties: Properties, _: Step) -> dict[str, Any]:
    """The configuration as the API has it."""
    config = dict(properties["DistributionConfig"])
    made: dict[str, Any] = {"Comment": "", **config}
    made["Origins"] = [_origin(each) for each in config.get("Origins") or ()]
    if "IPV6Enabled" in made:
        made["IsIPV6Enabled"] = made.pop("IPV6Enabled")
    if "CNAMEs" in made:
        made["Aliases"] = [*(made.get("Aliases") or ()), *made.pop("CNAMEs")]
    made["DefaultCacheBehavior"] = _behavior(config["DefaultCacheBehavior"])
    if config.get("CacheBehaviors") is not None:
        made["CacheBehaviors"] = [_behavior(each) for each in config["CacheBehaviors"]]
    if config.get("ViewerCertificate") is not None:
        made["ViewerCertificate"] = {
            _RENAMED.get(name, name): value for name, value in config["ViewerCertificate"].items()
        }
    restriction = (config.get("Restrictions") or {}).get("GeoRestriction")
    if restriction is not None:
        given = {name: value for name, value in restriction.items() if name != "Locations"}
        given |= {"Items": list(restriction.get("Locations") or ())}
        made["Restrictions"] = {"GeoRestriction": given}
    if config.get("Logging") is not None:
        made["Logging"] = {"Enabled": True, "Prefix": "", **config["Logging"]}
    return {**properties, "DistributionConfig": made}


def _origin(given: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(given)
    if "OriginCustomHeaders" in made:
        made["CustomHeaders"] = made.pop("OriginCustomHeaders")
    custom = made.get("CustomOriginConfig")
    if custom is not None:
        custom = {"HTTPPort": 80, "HTTPSPort": 443, **custom}
        if "OriginSSLProtocols" in custom:
            custom["OriginSslProtocols"] = custom.pop("OriginSSLProtocols")
        made["CustomOriginConfig"] = custom
    elif "VpcOriginConfig" not in made:
        bucket = made.get("S3OriginConfig") or {}
        made["S3OriginConfig"] = {"OriginAccessIdentity": "", **bucket}
    return made


def _behavior(given: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(given)
    methods, cached = made.pop("AllowedMethods", None), made.pop("CachedMethods", None)
    if methods is not None or cached is not None:
        made["AllowedMethods"] = {"Items": list(methods or ("GET", "HEAD"))}
        if cached is not None:
            made["AllowedMethods"]["CachedMethods"] = list(cached)
    for name in ("TrustedSigners", "TrustedKeyGroups"):
        if name in made:
            made[name] = {"Enabled": bool(made[name]), "Items": list(made[name] or ())}
    values = made.get("ForwardedValues")
    if values is not None:
        made["ForwardedValues"] = {"Cookies": {"Forward": "none"}, **values}
    return made


async def _disable(call: Call, id: str, _: Properties) -> None:
    """A distribution can be deleted once it is disabled."""
    found = await call(_SERVICE, "GetDistributionConfig", {"Id": id})
    config = found["DistributionConfig"]
    if config["Enabled"]:
        changed = {**config, "Enabled": False}
        params = {"Id": id, "IfMatch": found["ETag"], "DistributionConfig": changed}
        await call(_SERVICE, "UpdateDistribution", params)


DISTRIBUTION = Row(
    name="AWS::CloudFront::Distribution",
    service=_SERVICE,
    # The reference makes it idempotent: a step in doubt creates it again and gets the same one.
    create=only(
        "CreateDistributionWithTags",
        **{
            "DistributionConfigWithTags": {
                "DistributionConfig": "{DistributionConfig}",
                "Tags": {"Items": []},
            },
            "DistributionConfigWithTags.DistributionConfig.CallerReference": "{$token}",
        },
    ),
    physical="{.Distribution.Id}",
    keys={"Id": "{$id}"},
    read=only("GetDistribution"),
    update=(
        op(
            "UpdateDistribution",
            IfMatch="{.ETag}",
            **{
                "DistributionConfig.CallerReference": (
                    "{.Distribution.DistributionConfig.CallerReference}"
                )
            },
        ),
    ),
    delete=only("DeleteDistribution", IfMatch="{.ETag}"),
    reads_first=True,
    before_delete=_disable,
    prepare=_prepare,
    attributes={"DomainName": "{.Distribution.DomainName}", "Id": "{$id}"},
    tags="DistributionConfigWithTags.Tags",
    retag=Retag(
        "TagResource",
        "UntagResource",
        {"Resource": "arn:aws:cloudfront::{$account}:distribution/{$id}"},
    ),
)


def _publishing(properties: Properties, _: Step) -> dict[str, Any]:
    """`AutoPublish` counts if it is true."""
    made = dict(properties)
    if str(made.get("AutoPublish", "")).lower() != "true":
        made.pop("AutoPublish", None)
    config = dict(made.get("FunctionConfig") or {})
    made["FunctionConfig"] = {"Comment": "", **config}
    return made


_FUNCTION_ARN = "{.FunctionSummary.FunctionMetadata.FunctionARN}"
FUNCTION = Row(
    name="AWS::CloudFront::Function",
    service=_SERVICE,
    create=only(
        "CreateFunction",
        Name="{Name}",
        FunctionCode="{FunctionCode}",
        FunctionConfig="{FunctionConfig}",
    ),
    physical=_FUNCTION_ARN,
    find=Find(only("DescribeFunction", Name="{Name}"), "", {}, _FUNCTION_ARN),
    keys={"Name": "{Name}"},
    read=only("DescribeFunction"),
    update=(
        only(
            "UpdateFunction",
            FunctionCode="{FunctionCode}",
            FunctionConfig="{FunctionConfig}",
            IfMatch="{.ETag}",
        ),
    ),
    delete=only("DeleteFunction", IfMatch="{.ETag}"),
    reads_first=True,
    prepare=_publishing,
    parts=(
        Part(
            of=("AutoPublish",),
            with_=("FunctionCode", "FunctionConfig"),
            put=only("PublishFunction", IfMatch="{.ETag}"),
        ),
    ),
    attributes={
        "FunctionARN": _FUNCTION_ARN,
        "FunctionMetadata.FunctionARN": _FUNCTION_ARN,
        "Stage": "{.FunctionSummary.FunctionMetadata.Stage}",
    },
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"Resource": "{@FunctionARN}"}),
    stored_only=frozenset({"FunctionMetadata"}),
)


def _policy(noun: str, plural: str, found_by: str, **more: Any) -> Row:
    """A resource with a configuration and an ETag, whose id the service chooses."""
    config = f"{noun}Config"
    return Row(
        **{
            "name": f"AWS::CloudFront::{noun}",
            "service": _SERVICE,
            "create": op(f"Create{noun}"),
            "physical": f"{{.{noun}.Id}}",
            "find": Find(
                only(f"List{plural}"),
                f"{noun}List.Items",
                {found_by: f"{{{config}.Name}}"},
                "{.Id}" if found_by == "Name" else f"{{.{noun}.Id}}",
            ),
            "keys": {"Id": "{$id}"},
            "read": only(f"Get{noun}"),
            "update": (op(f"Update{noun}", IfMatch="{.ETag}"),),
            "delete": only(f"Delete{noun}", IfMatch="{.ETag}"),
            "reads_first": True,
            "attributes": {
                "Id": "{$id}",
                "LastModifiedTime": f"{{.{noun}.LastModifiedTime}}",
            },
            **more,
        }
    )


_IDENTITY_CONFIG = "CloudFrontOriginAccessIdentityConfig"

ROWS = (
    DISTRIBUTION,
    FUNCTION,
    _policy("CachePolicy", "CachePolicies", "CachePolicy.CachePolicyConfig.Name"),
    _policy(
        "OriginRequestPolicy",
        "OriginRequestPolicies",
        "OriginRequestPolicy.OriginRequestPolicyConfig.Name",
    ),
    _policy(
        "ResponseHeadersPolicy",
        "ResponseHeadersPolicies",
        "ResponseHeadersPolicy.ResponseHeadersPolicyConfig.Name",
    ),
    _policy("OriginAccessControl", "OriginAccessControls", "Name", attributes={"Id": "{$id}"}),
    _policy(
        "CloudFrontOriginAccessIdentity",
        "CloudFrontOriginAccessIdentities",
        "Name",
        create=op(
            "CreateCloudFrontOriginAccessIdentity",
            **{f"{_IDENTITY_CONFIG}.CallerReference": "{$token}"},
        ),
        find=None,
        update=(
            op(
                "UpdateCloudFrontOriginAccessIdentity",
                IfMatch="{.ETag}",
                **{
                    f"{_IDENTITY_CONFIG}.CallerReference": (
                        "{.CloudFrontOriginAccessIdentity"
                        ".CloudFrontOriginAccessIdentityConfig.CallerReference}"
                    )
                },
            ),
        ),
        attributes={
            "Id": "{$id}",
            "S3CanonicalUserId": "{.CloudFrontOriginAccessIdentity.S3CanonicalUserId}",
        },
    ),
)
