"""A stack as people write it: a site with a function at the edge, changed and deleted."""

import json
import textwrap
from typing import Any

from tests.platforms import ROLE, Platform
from tests.scenario.edge.distributions import Viewer

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Greeting: {Type: String, Default: hello}
Resources:
  Api:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: nodejs20.x
      Role: ROLE
      Code:
        ZipFile: |
          exports.handler = async (event) => ({
            statusCode: 200,
            headers: {'content-type': 'application/json', 'cache-control': 'max-age=60'},
            body: JSON.stringify({path: event.rawPath, headers: event.headers}),
          });
  Url:
    Type: AWS::Lambda::Url
    Properties: {AuthType: AWS_IAM, TargetFunctionArn: !Ref Api}
  Allowed:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunctionUrl
      FunctionName: !Ref Api
      Principal: cloudfront.amazonaws.com
      SourceArn: !Sub arn:aws:cloudfront::${AWS::AccountId}:distribution/${Site}
  Signing:
    Type: AWS::CloudFront::OriginAccessControl
    Properties:
      OriginAccessControlConfig:
        Name: !Sub ${AWS::StackName}-signing
        OriginAccessControlOriginType: lambda
        SigningBehavior: always
        SigningProtocol: sigv4
  Cache:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: !Sub ${AWS::StackName}-cache
        DefaultTTL: 60
        MaxTTL: 600
        MinTTL: 0
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: true
          HeadersConfig: {HeaderBehavior: whitelist, Headers: [X-Group]}
          CookiesConfig: {CookieBehavior: none}
          QueryStringsConfig: {QueryStringBehavior: all}
  Requests:
    Type: AWS::CloudFront::OriginRequestPolicy
    Properties:
      OriginRequestPolicyConfig:
        Name: !Sub ${AWS::StackName}-requests
        HeadersConfig: {HeaderBehavior: whitelist, Headers: [X-Seen]}
        CookiesConfig: {CookieBehavior: none}
        QueryStringsConfig: {QueryStringBehavior: none}
  Headers:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Properties:
      ResponseHeadersPolicyConfig:
        Name: !Sub ${AWS::StackName}-headers
        CustomHeadersConfig:
          Items: [{Header: X-Greeting, Value: !Ref Greeting, Override: true}]
  Rewrite:
    Type: AWS::CloudFront::Function
    Properties:
      Name: !Sub ${AWS::StackName}-rewrite
      AutoPublish: true
      FunctionConfig: {Comment: rewrites, Runtime: cloudfront-js-2.0}
      FunctionCode: !Sub |
        function handler(event) {
          event.request.headers['x-seen'] = { value: '${Greeting}' };
          return event.request;
        }
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      Tags: [{Key: team, Value: edge}]
      DistributionConfig:
        Enabled: true
        HttpVersion: http2
        IPV6Enabled: true
        Origins:
          - Id: api
            DomainName: !Select [2, !Split ["/", !GetAtt Url.FunctionUrl]]
            OriginAccessControlId: !Ref Signing
            OriginCustomHeaders: [{HeaderName: X-From, HeaderValue: stack}]
            CustomOriginConfig: {OriginProtocolPolicy: https-only, OriginSSLProtocols: [TLSv1.2]}
        DefaultCacheBehavior:
          TargetOriginId: api
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS]
          CachedMethods: [GET, HEAD]
          Compress: true
          CachePolicyId: !Ref Cache
          OriginRequestPolicyId: !Ref Requests
          ResponseHeadersPolicyId: !Ref Headers
          FunctionAssociations:
            - {EventType: viewer-request, FunctionARN: !GetAtt Rewrite.FunctionMetadata.FunctionARN}
        ViewerCertificate: {CloudFrontDefaultCertificate: true}
Outputs:
  Domain: {Value: !GetAtt Site.DomainName}
  Id: {Value: !Ref Site}
""".replace("ROLE", ROLE)


def deployed(platform: Platform, **parameters: str) -> dict[str, str]:
    """Create the stack, or update it; returns its outputs."""
    client = platform.client("cloudformation")
    wanted: dict[str, Any] = {
        "StackName": "edge-site",
        "TemplateBody": textwrap.dedent(TEMPLATE),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        "Tags": [{"Key": "stack", "Value": "yes"}],
    }
    try:
        client.describe_stacks(StackName="edge-site")
    except client.exceptions.ClientError:
        client.create_stack(**wanted)
        waiter = client.get_waiter("stack_create_complete")
    else:
        client.update_stack(**wanted)
        waiter = client.get_waiter("stack_update_complete")
    try:
        waiter.wait(StackName="edge-site", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    except Exception as error:
        events = client.describe_stack_events(StackName="edge-site")["StackEvents"]
        reasons = [
            (each["LogicalResourceId"], each["ResourceStatus"], each.get("ResourceStatusReason"))
            for each in events
        ]
        raise AssertionError(json.dumps(reasons) + platform.output[-3000:]) from error
    (stack,) = client.describe_stacks(StackName="edge-site")["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def test_a_site_of_a_stack(platform: Platform) -> None:
    outputs = deployed(platform)
    viewer = Viewer(platform, outputs["Domain"])
    found = viewer.get("/a", X_Group="1")
    assert found.status == 200, found.body
    sent = found.json()["headers"]
    assert (sent["x-seen"], sent["x-from"], sent["x-group"]) == ("hello", "stack", "1")
    assert found.headers["x-greeting"] == "hello"
    assert viewer.get("/a", X_Group="1").cache == "Hit"
    cloudfront = platform.client("cloudfront")
    arn = cloudfront.get_distribution(Id=outputs["Id"])["Distribution"]["ARN"]
    tags = cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "edge", "stack": "yes"}
    # A change of a policy and of a function, which is published again.
    assert deployed(platform, Greeting="again") == outputs
    found = viewer.get("/b")
    assert found.json()["headers"]["x-seen"] == "again"
    assert found.headers["x-greeting"] == "again"
    client = platform.client("cloudformation")
    client.delete_stack(StackName="edge-site")
    waiter = client.get_waiter("stack_delete_complete")
    waiter.wait(StackName="edge-site", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert viewer.get("/a").status == 403
    names = cloudfront.list_functions()["FunctionList"].get("Items", [])
    assert "edge-site-rewrite" not in {each["Name"] for each in names}
