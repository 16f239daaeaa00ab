"""A strict platform: who may have what run, what CloudFront may read, and origins that are servers.
It serves TLS, too."""

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, PYTHON, Platform, wait_active, zip_of
from tests.scenario.edge.distributions import (
    CACHED,
    ORIGIN,
    UNCACHED,
    Answer,
    Viewer,
    behavior,
    config_of,
    custom_origin,
    listed,
)
from tests.scenario.test_identity import TRUST, Strict
from tests.unit.triggers.apis.backend import running_backend

PASSES = "def handler(event, context): return event['Records'][0]['cf']['request']"
BOTH = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]},
        "Action": "sts:AssumeRole",
    },
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """A strict platform that reaches servers on loopback."""
    platform = Platform(
        tmp_path_factory.mktemp("edge") / "data",
        *("--auth", "strict", "--tls", "auto", "--tls-port", "0"),
        *("--set", "egress.allow=127.0.0.0/8"),
    )
    running = Strict(platform)
    iam = running.client("iam")
    iam.create_role(RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_role(RoleName="edge-role", AssumeRolePolicyDocument=json.dumps(BOTH))
    yield running
    assert platform.stop() == 0, platform.output


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An HTTP server."""
    with running_backend() as address:
        yield address


def server_origin(address: str, **more: Any) -> dict[str, Any]:
    port = urlsplit(address).port
    custom = {
        "HTTPPort": port,
        "HTTPSPort": 443,
        "OriginProtocolPolicy": "http-only",
        **more,
    }
    return custom_origin("localhost", CustomOriginConfig=custom)


def distribute(strict: Strict, config: dict[str, Any]) -> tuple[dict[str, Any], Viewer]:
    made = strict.client("cloudfront").create_distribution(DistributionConfig=config)
    return made["Distribution"], Viewer(strict.platform, made["Distribution"]["DomainName"])


def deployed(strict: Strict, name: str, code: str, role: str) -> str:
    """Deploy a function; returns its ARN."""
    client = strict.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime=PYTHON,
        Role=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        Handler="app.handler",
        Code={"ZipFile": zip_of({"app.py": code})},
    )
    return str(wait_active(client, name)["FunctionArn"])


def runs(arn: str) -> dict[str, Any]:
    association = {"EventType": "viewer-request", "LambdaFunctionARN": arn}
    return behavior(UNCACHED, LambdaFunctionAssociations=listed(association))


def test_who_may_have_a_function_run_at_the_edge(strict: Strict, server: str) -> None:
    """The caller needs two permissions for the function, the role must trust Lambda@Edge, and go on
    to trust it."""
    iam, lambda_ = strict.client("iam"), strict.client("lambda")
    deployed(strict, "edge", PASSES, "lambda-role")
    arn = lambda_.publish_version(FunctionName="edge")["FunctionArn"]
    config = config_of(server_origin(server), default=runs(arn))
    with pytest.raises(ClientError, match=r"assumable with edgelambda\.amazonaws\.com"):
        distribute(strict, config)
    lambda_.update_function_configuration(
        FunctionName="edge", Role=f"arn:aws:iam::{ACCOUNT}:role/edge-role"
    )
    wait_active(lambda_, "edge")
    arn = lambda_.publish_version(FunctionName="edge")["FunctionArn"]
    config = config_of(server_origin(server), default=runs(arn))
    iam.create_user(UserName="editor")
    key = iam.create_access_key(UserName="editor")["AccessKey"]
    editor = strict.platform.client(
        "cloudfront",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    actions = ["cloudfront:CreateDistribution", "lambda:GetFunction"]
    for missing in ("lambda:EnableReplication", None):
        if missing is None:
            actions.append("lambda:EnableReplication")
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        iam.put_user_policy(
            UserName="editor",
            PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        if missing is not None:
            with pytest.raises(ClientError, match=missing):
                editor.create_distribution(DistributionConfig=config)
    made = editor.create_distribution(DistributionConfig=config)["Distribution"]
    with pytest.raises(ClientError, match="cloudfront:GetDistribution"):
        editor.get_distribution(Id=made["Id"])
    viewer = Viewer(strict.platform, made["DomainName"])
    assert viewer.get("/a").status == 201
    iam.update_assume_role_policy(RoleName="edge-role", PolicyDocument=json.dumps(TRUST))
    assert viewer.get("/a").cache == "LambdaExecutionError"
    iam.update_assume_role_policy(RoleName="edge-role", PolicyDocument=json.dumps(BOTH))
    assert viewer.get("/a").status == 201


def test_a_function_url_names_the_distribution(strict: Strict) -> None:
    client, lambda_ = strict.client("cloudfront"), strict.client("lambda")
    deployed(strict, "signed", ORIGIN, "lambda-role")
    url = lambda_.create_function_url_config(FunctionName="signed", AuthType="AWS_IAM")
    control = client.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "urls",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "lambda",
        }
    )["OriginAccessControl"]["Id"]
    host = str(urlsplit(url["FunctionUrl"]).hostname)
    origin = custom_origin(host, OriginAccessControlId=control)
    config = config_of(origin, default=behavior(UNCACHED))
    mine, viewer = distribute(strict, config)
    _, other = distribute(strict, config_of(origin, default=behavior(UNCACHED)))
    assert viewer.get("/a").status == 403
    for action, more in (
        ("lambda:InvokeFunctionUrl", {}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        lambda_.add_permission(
            FunctionName="signed",
            StatementId=action.replace(":", "-"),
            Action=action,
            Principal="cloudfront.amazonaws.com",
            SourceArn=mine["ARN"],
            **more,
        )
    found = viewer.get("/a")
    assert (found.status, found.json()["caller"]) == (200, "cloudfront.amazonaws.com")
    assert other.get("/a").status == 403


def test_a_bucket_says_who_may_read(strict: Strict) -> None:
    client, s3 = strict.client("cloudfront"), strict.client("s3")
    s3.create_bucket(Bucket="edge-private")
    s3.put_object(Bucket="edge-private", Key="a.txt", Body=b"private")
    control = client.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "buckets",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    identity = client.create_cloud_front_origin_access_identity(
        CloudFrontOriginAccessIdentityConfig={"CallerReference": "x", "Comment": ""}
    )["CloudFrontOriginAccessIdentity"]["Id"]

    def site(path: str = "", **more: Any) -> tuple[dict[str, Any], Viewer]:
        origin = {
            "Id": "main",
            "DomainName": "edge-private.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": path},
            **more,
        }
        methods = listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
        default = behavior(UNCACHED, AllowedMethods=methods)
        return distribute(strict, config_of(origin, default=default))

    signed, by_signature = site(OriginAccessControlId=control)
    _, other = site(OriginAccessControlId=control)
    _, by_identity = site(f"origin-access-identity/cloudfront/{identity}")
    _, plain = site()

    def allow(principal: Any, *actions: str, **condition: Any) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": list(actions),
            "Resource": "arn:aws:s3:::edge-private/*",
            "Condition": condition,
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket="edge-private", Policy=json.dumps(document))

    def statuses() -> list[int]:
        return [each.get("/a.txt").status for each in (by_signature, other, by_identity, plain)]

    assert statuses() == [403, 403, 403, 403]
    cloudfront = {"Service": "cloudfront.amazonaws.com"}
    of_mine = {"StringEquals": {"AWS:SourceArn": signed["ARN"]}}
    allow(cloudfront, "s3:GetObject", **of_mine)
    assert statuses() == [200, 403, 403, 403]
    assert by_signature.request("PUT", "/b.txt", body=b"x").status == 403
    allow(cloudfront, "s3:GetObject", "s3:PutObject", **of_mine)
    assert by_signature.request("PUT", "/b.txt", body=b"written").status == 200
    assert s3.get_object(Bucket="edge-private", Key="b.txt")["Body"].read() == b"written"
    name = f"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity {identity}"
    allow({"AWS": name}, "s3:GetObject")
    assert statuses() == [403, 403, 200, 403]
    allow("*", "s3:GetObject")
    assert statuses() == [200, 200, 200, 200]


def test_a_server(strict: Strict, server: str) -> None:
    methods = listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
    _, viewer = distribute(
        strict,
        config_of(server_origin(server), default=behavior(CACHED, AllowedMethods=methods)),
    )
    sent = viewer.request("POST", "/any?x=1", {"Content-Type": "text/plain"}, b"hello").json()
    assert (sent["method"], sent["path"], sent["body"]) == ("POST", "/any", "hello")
    assert sent["headers"]["user-agent"] == "Amazon CloudFront"
    assert sent["headers"]["host"].startswith("localhost")
    large = viewer.get("/large")
    assert (large.cache, len(large.body)) == ("Miss", 3_000_000)
    part = viewer.get("/large", Range="bytes=2999990-")
    assert (part.status, part.cache, part.body) == (206, "Hit", b"x" * 10)
    assert viewer.get("/chunks").body == b"abc"
    assert viewer.get("/chunks").cache == "Hit"
    assert [viewer.get("/cut").status for _ in range(2)] == [502, 502]


def test_a_server_that_is_late_or_away(strict: Strict, server: str) -> None:
    late = server_origin(server, OriginReadTimeout=1)
    _, viewer = distribute(strict, config_of(late, default=behavior(UNCACHED)))
    assert viewer.get("/slow").status == 504
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _, viewer = distribute(strict, config_of(server_origin(f"http://localhost:{port}")))
    assert viewer.get("/a").status == 502


def test_tls(strict: Strict, server: str) -> None:
    """Plain HTTP is redirected to the port with TLS, whose certificate is for the name."""
    default = behavior(ViewerProtocolPolicy="redirect-to-https")
    made, viewer = distribute(strict, config_of(server_origin(server), default=default))
    moved = viewer.get("/any?a=b")
    assert moved.status == 301
    location = urlsplit(moved.headers["location"])
    assert (location.scheme, location.hostname, location.path, location.query) == (
        "https",
        made["DomainName"],
        "/any",
        "a=b",
    )
    trusted = ssl.create_default_context(cafile=str(strict.platform.data_dir / "trust" / "ca.pem"))
    assert location.port is not None
    with (
        socket.create_connection(("127.0.0.1", location.port), timeout=20) as plain,
        trusted.wrap_socket(plain, server_hostname=made["DomainName"]) as secure,
    ):
        secure.sendall(
            f"GET /any HTTP/1.1\r\nHost: {made['DomainName']}\r\nConnection: close\r\n\r\n".encode()
        )
        response = http.client.HTTPResponse(secure)
        response.begin()
        assert Answer(response).status == 201
    assert re.fullmatch(r"d[a-z0-9]{13}\.cloudfront\.localhost", made["DomainName"])
