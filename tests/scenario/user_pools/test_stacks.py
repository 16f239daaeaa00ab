"""A stack with a user pool and two APIs that its users may call, on a relaxed platform."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.platforms import Platform, deploy, invoke, log_lines, wait_for
from tests.scenario.test_stacks import outputs, settled

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Minimum: {Type: Number, Default: 8}
  Extra: {Type: String, Default: level}
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        import json
        def handler(event, context):
            if "triggerSource" in event:
                print("TRIGGER " + event["triggerSource"])
                event["response"]["autoConfirmUser"] = True
                return event
            return {"statusCode": 200, "body": json.dumps(event["requestContext"]["authorizer"])}
      Events:
        SignUp:
          Type: Cognito
          Properties: {UserPool: !Ref People, Trigger: PreSignUp}
        Http:
          Type: HttpApi
          Properties: {ApiId: !Ref Modern, Path: /me, Method: GET}
        Rest:
          Type: Api
          Properties: {RestApiId: !Ref Classic, Path: /me, Method: GET}
  People:
    Type: AWS::Cognito::UserPool
    Properties:
      UserPoolName: !Sub "${AWS::StackName}-people"
      UsernameAttributes: [email]
      Policies: {PasswordPolicy: {MinimumLength: !Ref Minimum}}
      Schema:
        - {Name: !Ref Extra, AttributeDataType: Number, Mutable: true}
      UserPoolTags: {team: shop}
      MfaConfiguration: OPTIONAL
      EnabledMfas: [SOFTWARE_TOKEN_MFA]
  App:
    Type: AWS::Cognito::UserPoolClient
    Properties:
      UserPoolId: !Ref People
      ExplicitAuthFlows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
      AccessTokenValidity: 20
      TokenValidityUnits: {AccessToken: minutes}
  Admins:
    Type: AWS::Cognito::UserPoolGroup
    Properties: {UserPoolId: !Ref People, GroupName: admins, Precedence: 1}
  Domain:
    Type: AWS::Cognito::UserPoolDomain
    Properties: {UserPoolId: !Ref People, Domain: stack-of-people}
  Shop:
    Type: AWS::Cognito::UserPoolResourceServer
    Properties:
      UserPoolId: !Ref People
      Identifier: shop
      Name: the shop
      Scopes: [{ScopeName: read, ScopeDescription: read}]
  Modern:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Users
        Authorizers:
          Users:
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: !GetAtt People.ProviderURL, audience: [!Ref App]}
  Classic:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      Auth:
        DefaultAuthorizer: Users
        Authorizers: {Users: {UserPoolArn: !GetAtt People.Arn}}
Outputs:
  Pool: {Value: !Ref People}
  App: {Value: !Ref App}
  Modern: {Value: !Ref Modern}
  Classic: {Value: !Ref Classic}
  Function: {Value: !Ref Function}
"""
ASKS = """
import json, urllib.error, urllib.request
BASE = "https://cognito-idp.us-east-1.amazonaws.com/"
def handler(event, context):
    with urllib.request.urlopen(f"{BASE}{event['pool']}/.well-known/jwks.json") as response:
        keys = json.load(response)["keys"]
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
    }
    asked = {"ClientId": "none", "AuthFlow": "USER_SRP_AUTH"}
    request = urllib.request.Request(BASE, json.dumps(asked).encode(), headers)
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        return {"keys": len(keys), "error": json.load(error)["__type"]}
"""
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
MAIL = "ann@example.com"


@pytest.fixture(scope="module")
def stack(platform: Platform) -> dict[str, str]:
    """The stack's outputs."""
    client = platform.client("cloudformation")
    client.create_stack(StackName="user-pools", TemplateBody=TEMPLATE, Capabilities=CAPABILITIES)
    made = settled(client, "user-pools")
    assert made["StackStatus"] == "CREATE_COMPLETE", client.describe_stack_events(
        StackName="user-pools"
    )
    return outputs(made)


def fetch(platform: Platform, path: str, token: str | None) -> tuple[int, Any]:
    headers = {} if token is None else {"Authorization": token}
    request = urllib.request.Request(platform.endpoint + path, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_its_users_call_its_apis(platform: Platform, stack: dict[str, str]) -> None:
    """A JWT authorizer takes the tokens, and so does one of user pools. Other tokens, and tokens of
    a wrong kind, are refused."""
    people = platform.client("cognito-idp", config=Config(signature_version=UNSIGNED))
    owner = platform.client("cognito-idp")
    signed_up = people.sign_up(
        ClientId=stack["App"],
        Username=MAIL,
        Password="longpass",
        UserAttributes=[{"Name": "custom:level", "Value": "3"}],
    )
    assert signed_up["UserConfirmed"] is True
    lines = wait_for(lambda: log_lines(platform, stack["Function"]), "the trigger")
    assert any(line == "TRIGGER PreSignUp_SignUp" for line in lines)
    owner.admin_add_user_to_group(UserPoolId=stack["Pool"], Username=MAIL, GroupName="admins")
    tokens = people.initiate_auth(
        ClientId=stack["App"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": MAIL, "PASSWORD": "longpass"},
    )["AuthenticationResult"]
    assert tokens["ExpiresIn"] == 1200
    modern = f"/_lambent/api/{stack['Modern']}/me"
    status, shown = fetch(platform, modern, f"Bearer {tokens['AccessToken']}")
    assert status == 200, shown
    assert shown["jwt"]["claims"]["sub"] == signed_up["UserSub"]
    assert shown["jwt"]["claims"]["cognito:groups"] == "[admins]"
    assert fetch(platform, modern, f"Bearer {tokens['IdToken']}")[0] == 200
    classic = f"/_aws/execute-api/{stack['Classic']}/live/me"
    status, shown = fetch(platform, classic, tokens["IdToken"])
    assert status == 200, shown
    assert shown["claims"]["email"] == MAIL
    assert shown["claims"]["cognito:groups"] == "admins"
    assert shown["claims"]["custom:level"] == "3"
    assert fetch(platform, classic, tokens["AccessToken"])[0] == 401
    changed = tokens["IdToken"][:-6] + "AAAAAA"
    for path in (modern, classic):
        assert fetch(platform, path, None)[0] == 401
        assert fetch(platform, path, changed)[0] == 401


def test_functions_reach_pools_by_the_address_of_aws(platform: Platform) -> None:
    """Keys and operations, over TLS with a certificate that is verified; and a page of another
    origin signs users in, but does nothing else."""
    owner = platform.client("cognito-idp")
    pool = owner.create_user_pool(PoolName="from-a-box")["UserPool"]["Id"]
    client = deploy(platform.client("lambda"), "asks-its-pool", {"app.py": ASKS})
    assert client["State"] == "Active"
    found, _ = invoke(platform.client("lambda"), "asks-its-pool", {"pool": pool})
    assert found == {"keys": 1, "error": "ResourceNotFoundException"}
    owner.delete_user_pool(UserPoolId=pool)
    address = urlsplit(platform.endpoint)

    def ask(method: str, operation: str) -> tuple[int, str | None]:
        headers = {"Origin": "https://shop.example"}
        if method == "OPTIONS":
            headers["Access-Control-Request-Method"] = "POST"
            headers["Access-Control-Request-Headers"] = "content-type,x-amz-target"
        else:
            headers["Content-Type"] = "application/x-amz-json-1.1"
            headers["X-Amz-Target"] = f"AWSCognitoIdentityProviderService.{operation}"
        body = b"{}" if method == "POST" else None
        with closing(http.client.HTTPConnection(address.netloc)) as connection:
            connection.request(method, "/", body, headers)
            response = connection.getresponse()
            return response.status, response.headers.get("Access-Control-Allow-Origin")

    assert ask("OPTIONS", "") == (204, "*")
    assert ask("POST", "InitiateAuth") == (400, "*")
    status, origin = ask("POST", "ListUserPools")
    assert (status, origin) == (400, None)


def test_it_is_changed_and_deleted(platform: Platform, stack: dict[str, str]) -> None:
    """The policy of the pool changes, an attribute is added; all goes with the stack."""
    client, owner = platform.client("cloudformation"), platform.client("cognito-idp")

    def described() -> Any:
        return owner.describe_user_pool(UserPoolId=stack["Pool"])["UserPool"]

    before = described()
    assert before["Policies"]["PasswordPolicy"]["MinimumLength"] == 8
    assert before["Policies"]["PasswordPolicy"]["RequireSymbols"] is False
    assert before["UserPoolTags"]["team"] == "shop"
    assert before["Domain"] == "stack-of-people"
    assert before["MfaConfiguration"] == "OPTIONAL"
    factors = owner.get_user_pool_mfa_config(UserPoolId=stack["Pool"])
    assert factors["SoftwareTokenMfaConfiguration"] == {"Enabled": True}
    client.update_stack(
        StackName="user-pools",
        UsePreviousTemplate=True,
        Capabilities=CAPABILITIES,
        Parameters=[{"ParameterKey": "Minimum", "ParameterValue": "12"}],
    )
    assert settled(client, "user-pools")["StackStatus"] == "UPDATE_COMPLETE"
    after = described()
    assert after["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    assert after["LambdaConfig"] == before["LambdaConfig"]
    assert after["MfaConfiguration"] == "OPTIONAL"
    client.delete_stack(StackName="user-pools")

    def is_gone() -> Callable[[], Any] | bool:
        found = client.describe_stacks()["Stacks"]
        return all(each["StackName"] != "user-pools" for each in found)

    wait_for(is_gone, "the stack is deleted")
    ids = [each["Id"] for each in owner.list_user_pools(MaxResults=60)["UserPools"]]
    assert stack["Pool"] not in ids
