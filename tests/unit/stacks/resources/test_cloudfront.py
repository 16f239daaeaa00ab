"""CloudFront: what templates write as lists, and what needs the ETag of what is there."""

from typing import Any

import pytest

from lambent.gateway.models import load_model
from lambent.gateway.validation import validate
from lambent.stacks.resources.resource_type import Made
from tests.unit.stacks.resources.fake_api import STEP, FakeApi, type_of

pytestmark = pytest.mark.anyio

FUNCTION_ARN = "arn:aws:cloudfront::111111111111:function/f"
DISTRIBUTION: dict[str, Any] = {
    "DistributionConfig": {
        "Enabled": "true",
        "IPV6Enabled": True,
        "Aliases": ["a.example.com"],
        "Origins": [
            {
                "Id": "bucket",
                "DomainName": "b.s3.amazonaws.com",
                "S3OriginConfig": {},
                "OriginCustomHeaders": [{"HeaderName": "x-a", "HeaderValue": "1"}],
            },
            {
                "Id": "site",
                "DomainName": "example.com",
                "CustomOriginConfig": {
                    "OriginProtocolPolicy": "https-only",
                    "OriginSSLProtocols": ["TLSv1.2"],
                },
            },
        ],
        "DefaultCacheBehavior": {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "redirect-to-https",
            "AllowedMethods": ["GET", "HEAD", "OPTIONS"],
            "CachedMethods": ["GET", "HEAD"],
            "ForwardedValues": {
                "QueryString": False,
                "Cookies": {"Forward": "none"},
                "Headers": ["H"],
            },
            "TrustedKeyGroups": ["k"],
            "LambdaFunctionAssociations": [
                {
                    "EventType": "viewer-request",
                    "LambdaFunctionARN": "arn:f:1",
                    "IncludeBody": "true",
                }
            ],
            "FunctionAssociations": [{"EventType": "viewer-response", "FunctionARN": FUNCTION_ARN}],
        },
        "CacheBehaviors": [
            {"PathPattern": "/a", "TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all"}
        ],
        "CustomErrorResponses": [{"ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "/"}],
        "ViewerCertificate": {"AcmCertificateArn": "arn:c", "SslSupportMethod": "sni-only"},
        "Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist", "Locations": ["DE"]}},
        "Logging": {"Bucket": "logs.s3.amazonaws.com"},
    }
}
MADE: dict[str, Any] = {
    "Distribution": {"Id": "E1", "Status": "Deployed", "DomainName": "d.cloudfront.net"}
}


async def test_a_distribution_is_as_the_api_has_it() -> None:
    """The input is valid by AWS's model, and has everything of the template."""
    api = FakeApi({"CreateDistribution": MADE, "GetDistribution": MADE})
    made = await type_of("AWS::CloudFront::Distribution", api).create(STEP, DISTRIBUTION)
    assert made == Made("E1", {"Id": "E1", "DomainName": "d.cloudfront.net"})
    (sent,) = api.inputs("CreateDistribution")
    validate(load_model("cloudfront").operation_model("CreateDistribution"), sent)
    config = sent["DistributionConfig"]
    assert (config["CallerReference"], config["Comment"]) == ("token-1", "")
    assert config["IsIPV6Enabled"] is True
    assert config["Aliases"] == {"Quantity": 1, "Items": ["a.example.com"]}
    bucket, site = config["Origins"]["Items"]
    assert bucket["S3OriginConfig"] == {"OriginAccessIdentity": ""}
    assert bucket["CustomHeaders"]["Quantity"] == 1
    assert site["CustomOriginConfig"]["HTTPSPort"] == 443
    assert site["CustomOriginConfig"]["OriginSslProtocols"]["Items"] == ["TLSv1.2"]
    behavior = config["DefaultCacheBehavior"]
    assert behavior["AllowedMethods"] == {
        "Quantity": 3,
        "Items": ["GET", "HEAD", "OPTIONS"],
        "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
    }
    assert behavior["TrustedKeyGroups"] == {"Enabled": True, "Quantity": 1, "Items": ["k"]}
    (association,) = behavior["LambdaFunctionAssociations"]["Items"]
    assert association["IncludeBody"] is True
    assert config["ViewerCertificate"]["ACMCertificateArn"] == "arn:c"
    assert config["Restrictions"]["GeoRestriction"] == {
        "RestrictionType": "whitelist",
        "Quantity": 1,
        "Items": ["DE"],
    }
    assert config["Logging"]["Enabled"] is True


async def test_a_distribution_is_changed_and_disabled_before_it_is_deleted() -> None:
    found = {"ETag": "one", "DistributionConfig": {"Enabled": True, "Comment": "c"}}
    api = FakeApi(
        {
            "GetDistributionConfig": found,
            "GetDistribution": MADE,
            "UpdateDistribution": {"ETag": "two"},
        }
    )
    kind, made = type_of("AWS::CloudFront::Distribution", api), Made("E1", {})
    config = {**DISTRIBUTION["DistributionConfig"], "Comment": "new"}
    await kind.update(STEP, made, DISTRIBUTION, {"DistributionConfig": config})
    (sent,) = api.inputs("UpdateDistribution")
    validate(load_model("cloudfront").operation_model("UpdateDistribution"), sent)
    assert (sent["Id"], sent["IfMatch"]) == ("E1", "one")
    assert sent["DistributionConfig"]["Comment"] == "new"
    assert sent["DistributionConfig"]["CallerReference"] == "token-1"
    await kind.delete(STEP, made, DISTRIBUTION)
    assert api.inputs("UpdateDistribution")[1]["DistributionConfig"]["Enabled"] is False
    assert api.inputs("DeleteDistribution") == [{"Id": "E1", "IfMatch": "two"}]


FUNCTION = {
    "Name": "f",
    "FunctionCode": "function handler(event) { return event.request }",
    "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
    "AutoPublish": "true",
}


async def test_a_function_is_published_when_it_is_made_and_changed() -> None:
    shown = {"ETag": "e", "FunctionSummary": {"FunctionMetadata": {"FunctionARN": FUNCTION_ARN}}}
    api = FakeApi({"DescribeFunction": shown})
    kind = type_of("AWS::CloudFront::Function", api)
    made = await kind.create(STEP, FUNCTION)
    assert made.physical_id == FUNCTION_ARN
    (sent,) = api.inputs("CreateFunction")
    validate(load_model("cloudfront").operation_model("CreateFunction"), sent)
    await kind.update(STEP, made, FUNCTION, {**FUNCTION, "FunctionCode": "x"})
    assert api.inputs("UpdateFunction")[0]["FunctionCode"] == b"x"
    assert api.inputs("PublishFunction") == [{"Name": "f", "IfMatch": "e"}] * 2
    await kind.delete(STEP, made, FUNCTION)
    assert api.inputs("DeleteFunction") == [{"Name": "f", "IfMatch": "e"}]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (
            "CachePolicy",
            {
                "Name": "p",
                "DefaultTTL": "1",
                "MaxTTL": 2,
                "MinTTL": 0,
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": True,
                    "CookiesConfig": {"CookieBehavior": "none"},
                    "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["A"]},
                    "QueryStringsConfig": {"QueryStringBehavior": "all"},
                },
            },
        ),
        (
            "OriginRequestPolicy",
            {
                "Name": "p",
                "CookiesConfig": {"CookieBehavior": "whitelist", "Cookies": ["c"]},
                "HeadersConfig": {"HeaderBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "none"},
            },
        ),
        (
            "ResponseHeadersPolicy",
            {
                "Name": "p",
                "CustomHeadersConfig": {"Items": [{"Header": "h", "Value": "v", "Override": True}]},
                "RemoveHeadersConfig": {"Items": [{"Header": "r"}]},
            },
        ),
        (
            "OriginAccessControl",
            {
                "Name": "p",
                "OriginAccessControlOriginType": "s3",
                "SigningBehavior": "always",
                "SigningProtocol": "sigv4",
            },
        ),
        ("CloudFrontOriginAccessIdentity", {"Comment": "c"}),
    ],
)
async def test_configurations(kind: str, config: dict[str, Any]) -> None:
    """Are made, replaced as a whole, and deleted, with inputs that AWS's model takes."""
    api = FakeApi({f"Create{kind}": {kind: {"Id": "i"}}, f"Get{kind}": {kind: {}, "ETag": "e"}})
    type, properties = type_of(f"AWS::CloudFront::{kind}", api), {f"{kind}Config": config}
    made = await type.create(STEP, properties)
    assert made.physical_id == "i"
    word = "Description" if kind == "OriginAccessControl" else "Comment"
    await type.update(STEP, made, properties, {f"{kind}Config": {**config, word: "new"}})
    await type.delete(STEP, made, properties)
    model = load_model("cloudfront")
    for operation in (f"Create{kind}", f"Update{kind}", f"Delete{kind}"):
        (sent,) = api.inputs(operation)
        validate(model.operation_model(operation), sent)
        assert operation.startswith("Create") or sent["IfMatch"] == "e"
