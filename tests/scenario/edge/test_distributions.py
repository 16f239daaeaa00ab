"""CloudFront's API with boto3, and distributions in front of what runs here."""

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.platforms import Platform, deploy
from tests.scenario.edge.distributions import (
    ALL_BUT_HOST,
    BY_ORIGIN,
    CACHED,
    ORIGIN,
    UNCACHED,
    Viewer,
    behavior,
    change,
    config_of,
    custom_origin,
    distribute,
    listed,
    url_origin,
)


@pytest.fixture(scope="module")
def origin(platform: Platform) -> dict[str, Any]:
    """A function URL that all distributions of this module may have as their origin."""
    return url_origin(platform, "edge-origin")


def refused(code: str, call: Any, **params: Any) -> str:
    """The message of an error."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return str(caught.value.response["Error"]["Message"])


def test_the_life_of_a_distribution(platform: Platform, origin: dict[str, Any]) -> None:
    client = platform.client("cloudfront")
    config = config_of(origin)
    made = client.create_distribution_with_tags(
        DistributionConfigWithTags={
            "DistributionConfig": config,
            "Tags": {"Items": [{"Key": "team", "Value": "edge"}]},
        }
    )
    id, arn = made["Distribution"]["Id"], made["Distribution"]["ARN"]
    assert arn == f"arn:aws:cloudfront::000000000000:distribution/{id}"
    assert made["Distribution"]["Status"] == "InProgress"
    assert made["Location"].endswith(f"/distribution/{id}")
    client.get_waiter("distribution_deployed").wait(Id=id, WaiterConfig={"Delay": 1})
    # The same request again is the same distribution; another one with its reference is refused.
    assert client.create_distribution(DistributionConfig=config)["Distribution"]["Id"] == id
    refused(
        "DistributionAlreadyExists",
        client.create_distribution,
        DistributionConfig={**config, "Comment": "other"},
    )
    listed_ids = [
        each["Id"]
        for page in client.get_paginator("list_distributions").paginate(
            PaginationConfig={"PageSize": 1}
        )
        for each in page["DistributionList"].get("Items", [])
    ]
    assert listed_ids.count(id) == 1
    found = client.get_distribution_config(Id=id)
    shown = found["DistributionConfig"]
    assert shown["PriceClass"] == "PriceClass_All"
    refused("InvalidIfMatchVersion", client.update_distribution, Id=id, DistributionConfig=shown)
    refused(
        "PreconditionFailed",
        client.update_distribution,
        Id=id,
        IfMatch="EOTHER",
        DistributionConfig=shown,
    )
    refused(
        "IllegalUpdate",
        client.update_distribution,
        Id=id,
        IfMatch=found["ETag"],
        DistributionConfig={**shown, "CallerReference": "x"},
    )
    refused("DistributionNotDisabled", client.delete_distribution, Id=id, IfMatch=found["ETag"])
    viewer = Viewer(platform, made["Distribution"]["DomainName"])
    assert viewer.get("/a").status == 200
    change(platform, id, Enabled=False)
    assert viewer.get("/a").status == 403
    etag = client.get_distribution(Id=id)["ETag"]
    assert etag != found["ETag"]
    client.tag_resource(Resource=arn, Tags={"Items": [{"Key": "a", "Value": "b"}]})
    client.untag_resource(Resource=arn, TagKeys={"Items": ["team"]})
    assert client.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == [
        {"Key": "a", "Value": "b"}
    ]
    etag = client.get_distribution(Id=id)["ETag"]
    client.delete_distribution(Id=id, IfMatch=etag)
    refused("NoSuchDistribution", client.get_distribution, Id=id)
    refused("NoSuchResource", client.list_tags_for_resource, Resource=arn)


def test_policies_are_used_and_kept(platform: Platform, origin: dict[str, Any]) -> None:
    client = platform.client("cloudfront")
    selected = {
        "EnableAcceptEncodingGzip": True,
        "EnableAcceptEncodingBrotli": True,
        "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": listed("X-Group")},
        "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": listed("p")},
    }
    config = {
        "Name": "by-group",
        "MinTTL": 60,
        "ParametersInCacheKeyAndForwardedToOrigin": selected,
    }
    made = client.create_cache_policy(CachePolicyConfig=config)
    policy = made["CachePolicy"]["Id"]
    refused("CachePolicyAlreadyExists", client.create_cache_policy, CachePolicyConfig=config)
    headers = client.create_response_headers_policy(
        ResponseHeadersPolicyConfig={
            "Name": "marked",
            "CustomHeadersConfig": listed({"Header": "X-Mark", "Value": "1", "Override": True}),
            "RemoveHeadersConfig": listed({"Header": "X-Origin"}),
        }
    )["ResponseHeadersPolicy"]["Id"]
    default = behavior(policy, ResponseHeadersPolicyId=headers)
    id, viewer = distribute(platform, config_of(origin, default=default))
    first = viewer.get("/a?p=1&q=1", X_Group="a").json()
    assert (first["query"], first["headers"]["x-group"]) == ("p=1", "a")
    found = viewer.get("/a?q=2&p=1", X_Group="a")
    assert (found.cache, found.headers["x-mark"]) == ("Hit", "1")
    assert "x-origin" not in found.headers
    assert viewer.get("/a?p=1", X_Group="b").cache == "Miss"
    refused("CachePolicyInUse", client.delete_cache_policy, Id=policy, IfMatch=made["ETag"])
    # A change of the policy is in force at once.
    updated = client.update_response_headers_policy(
        Id=headers,
        IfMatch=client.get_response_headers_policy(Id=headers)["ETag"],
        ResponseHeadersPolicyConfig={
            "Name": "marked",
            "CustomHeadersConfig": listed({"Header": "X-Mark", "Value": "2", "Override": True}),
        },
    )
    assert viewer.get("/a?p=1", X_Group="a").headers["x-mark"] == "2"
    change(platform, id, DefaultCacheBehavior=behavior())
    client.delete_cache_policy(Id=policy, IfMatch=made["ETag"])
    client.delete_response_headers_policy(Id=headers, IfMatch=updated["ETag"])
    refused("NoSuchCachePolicy", client.get_cache_policy, Id=policy)
    managed = client.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]
    assert {each["CachePolicy"]["Id"] for each in managed} >= {CACHED, UNCACHED}
    refused("IllegalUpdate", client.delete_cache_policy, Id=CACHED, IfMatch="x")


def test_an_invalidation(platform: Platform, origin: dict[str, Any]) -> None:
    client = platform.client("cloudfront")
    id, viewer = distribute(platform, config_of(origin, default=behavior(BY_ORIGIN)))
    target = "/news/1?cache=max-age%3D600"
    assert [viewer.get(target).cache for _ in range(2)] == ["Miss", "Hit"]
    batch = {"CallerReference": uuid.uuid4().hex, "Paths": listed("/news/*")}
    made = client.create_invalidation(DistributionId=id, InvalidationBatch=batch)["Invalidation"]
    assert made["Status"] == "InProgress"
    assert viewer.get(target).cache == "Miss"
    client.get_waiter("invalidation_completed").wait(
        DistributionId=id, Id=made["Id"], WaiterConfig={"Delay": 1}
    )
    again = client.create_invalidation(DistributionId=id, InvalidationBatch=batch)
    assert again["Invalidation"]["Id"] == made["Id"]
    found = client.list_invalidations(DistributionId=id)["InvalidationList"]["Items"]
    assert [each["Id"] for each in found] == [made["Id"]]
    refused("NoSuchInvalidation", client.get_invalidation, DistributionId=id, Id="I1")
    refused(
        "InvalidArgument",
        client.create_invalidation,
        DistributionId=id,
        InvalidationBatch={"CallerReference": "x", "Paths": listed("/a*b")},
    )


def test_a_signed_function_url(platform: Platform) -> None:
    """An origin access control signs: the function sees CloudFront as its caller, and no one gets
    to it past the distribution."""
    client, lambda_ = platform.client("cloudfront"), platform.client("lambda")
    deploy(lambda_, "edge-signed", {"app.py": ORIGIN})
    url = lambda_.create_function_url_config(FunctionName="edge-signed", AuthType="AWS_IAM")
    host = str(urlsplit(url["FunctionUrl"]).hostname)
    control = client.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "urls",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "lambda",
        }
    )["OriginAccessControl"]["Id"]
    default = behavior(UNCACHED, OriginRequestPolicyId=ALL_BUT_HOST)
    plain, viewer = distribute(platform, config_of(custom_origin(host), default=default))
    assert viewer.get("/a", Origin="https://page.example").status == 403
    signed = custom_origin(host, OriginAccessControlId=control)
    change(platform, plain, Origins=listed(signed))
    found = viewer.get("/a", Origin="https://page.example")
    assert (found.status, found.json()["caller"]) == (200, "cloudfront.amazonaws.com")
    etag = client.get_origin_access_control(Id=control)["ETag"]
    refused(
        "OriginAccessControlInUse",
        client.delete_origin_access_control,
        Id=control,
        IfMatch=etag,
    )


def test_a_site_in_a_bucket(platform: Platform) -> None:
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="edge-site")
    for key, body in (("site/index.html", b"<h1>home</h1>"), ("site/a b.txt", b"spaces")):
        s3.put_object(Bucket="edge-site", Key=key, Body=body, ContentType="text/html")
    s3.put_object(Bucket="edge-site", Key="secret.txt", Body=b"secret")
    large = bytes(range(256)) * 8192
    s3.put_object(Bucket="edge-site", Key="site/large.bin", Body=large)
    bucket = {
        "Id": "main",
        "DomainName": "edge-site.s3.us-east-1.amazonaws.com",
        "OriginPath": "/site",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    page = {"ErrorCode": 404, "ResponsePagePath": "/index.html", "ResponseCode": "200"}
    methods = listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
    _, viewer = distribute(
        platform,
        config_of(
            bucket,
            DefaultRootObject="index.html",
            CustomErrorResponses=listed(page),
            default=behavior(AllowedMethods=methods),
        ),
    )
    home = viewer.get("/")
    assert (home.status, home.body, home.headers["content-type"]) == (
        200,
        b"<h1>home</h1>",
        "text/html",
    )
    assert viewer.get("/").cache == "Hit"
    assert viewer.get("/a%20b.txt").body == b"spaces"
    assert viewer.get("/missing/page").body == b"<h1>home</h1>"
    found = viewer.get("/large.bin")
    assert (found.body, found.cache) == (large, "Miss")
    part = viewer.get("/large.bin", Range="bytes=100000-100009")
    assert (part.status, part.body, part.cache) == (206, large[100000:100010], "Hit")
    # Nothing but objects below the path: no other operation, no other bucket, no writing.
    for target in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"):
        assert viewer.get(target).status == 403, target
    assert viewer.get("/?policy").body == b"<h1>home</h1>"
    assert viewer.get("/index.html?acl").body == b"<h1>home</h1>"
    assert viewer.request("PUT", "/new.txt", body=b"x").status == 403
    assert viewer.request("DELETE", "/index.html").status == 403
    assert viewer.request("POST", "/?delete", body=b"<Delete/>").status == 405


def test_an_api_and_an_alias(platform: Platform, origin: dict[str, Any]) -> None:
    """A behavior leads to an API, and the distribution is reached by a name of its owner's."""
    v2, lambda_ = platform.client("apigatewayv2"), platform.client("lambda")
    arn = lambda_.get_function(FunctionName="edge-origin")["Configuration"]["FunctionArn"]
    api = v2.create_api(Name="edge", ProtocolType="HTTP", Target=arn)
    host = str(urlsplit(api["ApiEndpoint"]).hostname)
    name = f"www-{uuid.uuid4().hex[:8]}.example.com"
    to_api = {**behavior(UNCACHED, "api"), "PathPattern": "/api/*"}
    id, viewer = distribute(
        platform,
        config_of(
            origin,
            custom_origin(host, "api"),
            CacheBehaviors=listed(to_api),
            Aliases=listed(name),
        ),
    )
    assert viewer.get("/api/x").json()["headers"]["host"] == host
    by_name = Viewer(platform, name)
    assert by_name.get("/page").json()["path"] == "/page"
    assert by_name.get("/page").cache == "Hit"
    client = platform.client("cloudfront")
    refused(
        "CNAMEAlreadyExists",
        client.create_distribution,
        DistributionConfig=config_of(origin, Aliases=listed(name.upper())),
    )
    for alias in ("localhost", "127.0.0.1", "x.localhost", "s3.amazonaws.com", "a..b", "*.com"):
        refused(
            "InvalidArgument",
            client.create_distribution,
            DistributionConfig=config_of(origin, Aliases=listed(alias)),
        )
    change(platform, id, Aliases=listed())
    assert Viewer(platform, name).get("/page").status != 200


def test_a_distribution_that_leads_to_itself_ends(platform: Platform) -> None:
    id, viewer = distribute(platform, config_of(custom_origin("example.com")))
    change(
        platform,
        id,
        Origins=listed(custom_origin(viewer.host)),
        DefaultCacheBehavior=behavior(UNCACHED),
    )
    assert viewer.get("/a").status == 508


def test_an_address_that_egress_does_not_allow(platform: Platform) -> None:
    """A distribution is no way to what functions cannot reach."""
    _, viewer = distribute(platform, config_of(custom_origin("localhost.localdomain")))
    found = viewer.get("/a")
    assert (found.status, found.cache) == (502, "Error")


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("InvalidArgument", {"WebACLId": "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/b"}),
        ("InvalidArgument", {"Logging": {"Enabled": True, "Bucket": "b", "Prefix": ""}}),
        ("InvalidArgument", {"Staging": True}),
        (
            "InvalidArgument",
            {"Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist", **listed("DE")}}},
        ),
        ("InvalidDefaultRootObject", {"DefaultRootObject": "/index.html"}),
        ("NoSuchOrigin", {"DefaultCacheBehavior": behavior(origin="other")}),
        ("NoSuchCachePolicy", {"DefaultCacheBehavior": behavior("none")}),
        (
            "InvalidArgument",
            {"DefaultCacheBehavior": behavior(TrustedKeyGroups={"Enabled": True, **listed("k")})},
        ),
        ("InvalidArgument", {"DefaultCacheBehavior": behavior(SmoothStreaming=True)}),
        ("InvalidArgument", {"DefaultCacheBehavior": behavior(AllowedMethods=listed("GET"))}),
        ("InconsistentQuantities", {"Aliases": {"Quantity": 2, "Items": ["a.example.com"]}}),
        ("InvalidArgument", {"Origins": listed(custom_origin("10.0.0.1"))}),
        ("InvalidArgument", {"Origins": listed(custom_origin("a.example.com", OriginPath="x"))}),
        (
            "InvalidArgument",
            {
                "Origins": listed(
                    custom_origin(
                        "a.example.com",
                        CustomHeaders=listed({"HeaderName": "Host", "HeaderValue": "x"}),
                    )
                )
            },
        ),
        (
            "NoSuchOriginAccessControl",
            {"Origins": listed(custom_origin("a.example.com", OriginAccessControlId="E1"))},
        ),
        ("InvalidErrorCode", {"CustomErrorResponses": listed({"ErrorCode": 418})}),
        (
            "InvalidArgument",
            {"CustomErrorResponses": listed({"ErrorCode": 404, "ResponsePagePath": "/a"})},
        ),
        (
            "InvalidFunctionAssociation",
            {
                "DefaultCacheBehavior": behavior(
                    FunctionAssociations=listed(
                        {
                            "EventType": "viewer-request",
                            "FunctionARN": "arn:aws:cloudfront::000000000000:function/none",
                        }
                    )
                )
            },
        ),
    ],
)
def test_what_cannot_be_served_is_refused(
    platform: Platform, code: str, members: dict[str, Any]
) -> None:
    client = platform.client("cloudfront")
    config = {**config_of(custom_origin("a.example.com")), **members}
    refused(code, client.create_distribution, DistributionConfig=config)
