"""The platform's own names inside boxes, by HTTPS that programs verify without configuration."""

import base64
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambent.kit.tls.java_store import java_store
from tests.interpreters import installed
from tests.platforms import log_lines

from .conftest import Platform, deploy, invoke, wait_for
from .java_classes import needs_jdk

pytestmark = pytest.mark.root

NODE = {"Runtime": "nodejs20.x", "Handler": "index.handler"}
OS_ONLY = {"Runtime": "provided.al2023", "Handler": "h"}

RUBY = {"Runtime": "ruby3.3", "Handler": "app.handler"}

RECEIVER = """
import json
def handler(event, context):
    print(json.dumps({"seen": event}))
    return {"path": event["rawPath"], "domain": event["requestContext"]["domainName"]}
"""
GET_IN_PYTHON = """
import json, socket, urllib.request
def handler(event, context):
    try:
        with urllib.request.urlopen(event["url"], timeout=10) as response:
            return {"status": response.status, "body": json.loads(response.read())}
    except OSError as error:
        return {"error": str(error)}
"""
GET_IN_NODE = """
const https = require('node:https');
exports.handler = (event) => new Promise((resolve) => {
  https.get(event.url, (response) => {
    let text = '';
    response.on('data', (part) => text += part);
    response.on('end', () => resolve({
      status: response.statusCode,
      body: JSON.parse(text),
      seen: process.env.NODE_EXTRA_CA_CERTS ?? null,
    }));
  }).on('error', (error) => resolve({ error: String(error) }));
});
"""
GET_IN_RUBY = """
require 'net/http'
require 'json'
def handler(event:, context:)
  response = Net::HTTP.get_response(URI(event['url']))
  { status: response.code.to_i, body: JSON.parse(response.body) }
end
"""
IN_A_SHELL = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event=$(curl -sS -D /tmp/head "$api/next")
  id=$(tr -d '\\r' < /tmp/head | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
  sh -c "$(printf %s "$event" | sed 's/^"//; s/"$//')" > /tmp/out 2>&1
  curl -sS -X POST --data-binary @/tmp/out "$api/$id/response" > /dev/null
done
"""
RESOURCE = {
    "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/s/1",
    "RequestId": "r-1",
    "LogicalResourceId": "Thing",
}


@pytest.fixture(scope="module")
def receiver(platform: Platform, lambda_client: Any) -> str:
    """The host name of a function that says what it was sent."""
    deploy(lambda_client, "names-receiver", {"app.py": RECEIVER})
    made = lambda_client.create_function_url_config(FunctionName="names-receiver", AuthType="NONE")
    return str(urlsplit(made["FunctionUrl"]).hostname)


@pytest.fixture(scope="module")
def shell(lambda_client: Any) -> Callable[[str], str]:
    """Runs a command in a box, and returns what it prints."""
    deploy(lambda_client, "names-shell", {"bootstrap": IN_A_SHELL}, **OS_ONLY)

    def run(command: str) -> str:
        answer = lambda_client.invoke(
            FunctionName="names-shell", Payload=json.dumps(command).encode()
        )
        return str(answer["Payload"].read().decode())

    return run


@pytest.mark.parametrize("runtime", ["python", "node", "node-executed", "ruby"])
def test_https_in_a_box(
    runtime: str, receiver: str, platform: Platform, lambda_client: Any
) -> None:
    """A function's URL answers inside a box by the usual port, and its certificate is trusted."""
    name = f"names-{runtime}"
    if runtime == "python":
        deploy(lambda_client, name, {"app.py": GET_IN_PYTHON})
    elif runtime == "ruby":
        deploy(lambda_client, name, {"app.rb": GET_IN_RUBY}, **RUBY)
    else:
        executed = {"Variables": {"LAMBENT_START_MODE": "exec"}} if "exec" in runtime else {}
        deploy(lambda_client, name, {"index.js": GET_IN_NODE}, **NODE, Environment=executed)
    found, _ = invoke(lambda_client, name, {"url": f"https://{receiver}/some/path"})
    assert found.get("status") == 200, found
    assert found["body"] == {"path": "/some/path", "domain": receiver}
    assert found.get("seen") is None, "the function sees the variable"
    if runtime == "python":
        found, _ = invoke(lambda_client, name, {"url": f"http://{receiver}/plain"})
        assert found["body"]["path"] == "/plain"


def test_curl_and_openssl(receiver: str, shell: Callable[[str], str]) -> None:
    """They verify without an option; the protocol is TLS 1.2 or later."""
    found = shell(f"curl -sS https://{receiver}/curl")
    assert json.loads(found)["path"] == "/curl"
    connect = (
        f"openssl s_client -connect {receiver}:443 -servername {receiver} -verify_return_error"
    )
    assert "Verify return code: 0 (ok)" in shell(
        f"{connect} -brief < /dev/null; {connect} < /dev/null"
    )
    assert "TLSv1.2" in shell(f"{connect} -tls1_2 < /dev/null")
    old = shell(f"{connect} -cipher ALL:@SECLEVEL=0 -tls1_1 < /dev/null")
    assert "Cipher is (NONE)" in old or "alert protocol version" in old, old


def test_names_of_an_api(
    receiver: str, platform: Platform, lambda_client: Any, shell: Callable[[str], str]
) -> None:
    """In a box an API of ours has its name of AWS and its custom domain name, with certificates;
    these names are no longer ours when the API and the name are gone."""
    apis = platform.client("apigatewayv2")
    arn = lambda_client.get_function(FunctionName="names-receiver")["Configuration"]["FunctionArn"]
    api = apis.create_api(Name="names", ProtocolType="HTTP", Target=arn)["ApiId"]
    aws, own = f"{api}.execute-api.us-east-1.amazonaws.com", "api.names.example"
    apis.create_domain_name(DomainName=own, DomainNameConfigurations=[{"EndpointType": "REGIONAL"}])
    mapping = apis.create_api_mapping(ApiId=api, DomainName=own, Stage="$default")["ApiMappingId"]
    for name in (aws, own):
        found = shell(f"curl -sS https://{name}/there")
        assert json.loads(found) == {"path": "/there", "domain": name}, found
    apis.delete_api_mapping(ApiMappingId=mapping, DomainName=own)
    apis.delete_domain_name(DomainName=own)
    apis.delete_api(ApiId=api)
    for name in (aws, own):
        found = shell(f"openssl s_client -connect 127.0.0.1:443 -servername {name} < /dev/null")
        assert "unrecognized name" in found, found


def test_no_certificate_for_a_foreign_name(receiver: str, shell: Callable[[str], str]) -> None:
    """Nor for a client that names no host, nor for an API that is not here."""
    for asked in ("-servername example.com", "-noservername",
                  "-servername abcdefghij.execute-api.us-east-1.amazonaws.com",
                  "-servername localhost"):  # fmt: skip
        found = shell(f"openssl s_client -connect 127.0.0.1:443 {asked} < /dev/null")
        assert "unrecognized name" in found, found
        assert "BEGIN CERTIFICATE" not in found


def test_the_authority_is_not_in_boxes(shell: Callable[[str], str]) -> None:
    """A box sees certificates, and no key; they are for nothing but the platform's names."""
    found = shell(
        "ls /etc/ssl/lambent; grep -rl PRIVATE /etc/ssl 2>/dev/null; ls -d /etc/ssl/private"
    )
    assert "boxes.pem" in found
    assert "bundle.pem" in found
    assert "key" not in found.replace("No such file", "")
    text = shell("openssl x509 -in /etc/ssl/lambent/boxes.pem -noout -text")
    permitted = text.partition("Permitted:")[2].partition("Excluded:")[0]
    assert "DNS:localhost" in permitted
    assert "DNS:execute-api.us-east-1.amazonaws.com" in permitted
    assert "DNS:amazonaws.com" not in permitted
    assert "CA:TRUE, pathlen:0" in text
    assert "Read-only" in shell("touch /etc/ssl/lambent/x; : > /etc/ssl/certs/ca-certificates.crt")


PYTHON_RESPONSE = """
import cfnresponse
def handler(event, context):
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Name": "v"}, "thing-1", noEcho=True)
"""
NODE_RESPONSE = """
const response = require('cfn-response');
exports.handler = function (event, context) {
  response.send(event, context, response.SUCCESS, { Name: 'v' }, 'thing-1', true);
};
"""
NODE_IMPORTS = """
import response, { send } from 'cfn-response';
export function handler(event, context) {
  if (send !== response.send) throw new Error('named exports differ');
  response.send(event, context, response.SUCCESS, { Name: 'v' }, 'thing-1', true);
};
"""
OWN = {
    "python": {
        "app.py": PYTHON_RESPONSE,
        "cfnresponse.py": "SUCCESS = 'own'\ndef send(*_, **__): print('own')",
    },
    "node": {
        "index.js": NODE_RESPONSE,
        "cfn-response.js": "exports.send = (_, at) => { console.log('own'); at.done(); };",
    },
    "node-import": {
        "index.mjs": NODE_IMPORTS,
        "node_modules/cfn-response/index.js": (
            "exports.send = (_, at) => { console.log('own'); at.done(); };"
        ),
    },
}


@pytest.mark.parametrize("runtime", ["python", "node", "node-import"])
def test_responses_of_custom_resources(
    runtime: str, receiver: str, platform: Platform, lambda_client: Any
) -> None:
    """AWS's modules are there, and reach a front by the address that they are sent."""
    name = f"names-cfn-{runtime}"
    if runtime == "python":
        deploy(lambda_client, name, {"app.py": PYTHON_RESPONSE})
    elif runtime == "node":
        deploy(lambda_client, name, {"index.js": NODE_RESPONSE}, **NODE)
    else:
        deploy(lambda_client, name, {"index.mjs": NODE_IMPORTS}, **NODE)
    event = {**RESOURCE, "ResponseURL": f"https://{receiver}/{runtime}?signature=a%2Fb"}
    payload, answer = invoke(lambda_client, name, event)
    assert (payload, answer.get("FunctionError")) == (None, None)

    def seen() -> dict[str, Any] | None:
        for line in log_lines(platform, "names-receiver"):
            if line.startswith('{"seen"'):
                found: dict[str, Any] = json.loads(line)["seen"]
                if found["rawPath"] == f"/{runtime}":
                    return found
        return None

    found = wait_for(seen, "the response")
    assert found["requestContext"]["http"]["method"] == "PUT"
    assert found["rawQueryString"] == "signature=a%2Fb"
    body = json.loads(base64.b64decode(found["body"]))  # It has no content type.
    assert body.pop("Reason").startswith("See the details in CloudWatch Log Stream: ")
    assert body == {
        **RESOURCE,
        "Status": "SUCCESS",
        "PhysicalResourceId": "thing-1",
        "NoEcho": True,
        "Data": {"Name": "v"},
    }


def test_the_buckets_for_responses(shell: Callable[[str], str]) -> None:
    """Both spellings of them lead here, also in AWS's domain, by a certificate that is trusted. A
    link that is not signed here is refused as S3 does. Other buckets of AWS are not ours."""
    bucket = "cloudformation-custom-resource-response-useast1.s3"
    for domain in ("localhost", "us-east-1.localhost", "amazonaws.com", "us-east-1.amazonaws.com"):
        found = shell(f"curl -sS -T /etc/passwd 'https://{bucket}.{domain}/k?X-Amz-Signature=0'")
        assert "<Code>AccessDenied</Code>" in found, (domain, found)
    asked = "-servername other.s3.amazonaws.com"
    found = shell(f"openssl s_client -connect 127.0.0.1:443 {asked} < /dev/null")
    assert "unrecognized name" in found


@pytest.mark.parametrize("runtime", OWN)
def test_a_function_brings_its_own_module(
    runtime: str, platform: Platform, lambda_client: Any
) -> None:
    name = f"names-own-{runtime}"
    deploy(lambda_client, name, OWN[runtime], **({} if runtime == "python" else NODE))
    invoke(lambda_client, name, {})
    wait_for(
        lambda: any(line.endswith("own") for line in log_lines(platform, name)), "its own module"
    )


PYTHONS = {interpreter.line for interpreter in installed() if interpreter.kind == "python"}
OTHERS = [line for line in ("3.8", "3.13") if line in PYTHONS]


@pytest.mark.parametrize("line", OTHERS)
def test_the_oldest_and_the_newest_python(line: str, receiver: str, lambda_client: Any) -> None:
    """Trust the certificate and have the module, too."""
    name = f"names-python{line.replace('.', '-')}"
    code = "import cfnresponse\n" + GET_IN_PYTHON
    deploy(lambda_client, name, {"app.py": code}, Runtime=f"python{line}")
    found, _ = invoke(lambda_client, name, {"url": f"https://{receiver}/"})
    assert found.get("status") == 200, found


BOTO3 = """
import boto3
def handler(event, context):
    client = boto3.client("lambda", endpoint_url=event["url"])
    try:
        return str(client.list_functions())
    except Exception as error:
        return repr(error)
"""


def test_boto3_trusts_it(receiver: str, lambda_client: Any) -> None:
    """It gets the function's response, which has nothing that it knows."""
    deploy(lambda_client, "names-boto3", {"app.py": BOTO3})
    found, _ = invoke(lambda_client, "names-boto3", {"url": f"https://{receiver}"})
    assert "'HTTPStatusCode': 200" in found


@needs_jdk
@pytest.mark.parametrize("runtime", ["java17", "java25"])
def test_java_trusts_it(
    runtime: str, receiver: str, lambda_client: Any, classes: dict[str, bytes]
) -> None:
    """All of Java's clients, and a JVM that the function starts, which reads the distribution's
    store. A function that names a store of its own trusts that instead."""
    name = f"names-{runtime}"
    more = {"Runtime": runtime, "Handler": "example.Fetch", "Timeout": 60, "MemorySize": 512}
    deploy(lambda_client, name, classes, **more)
    event = {"url": f"https://{receiver}/from/java"}
    found, _ = invoke(lambda_client, name, event)
    for client in ("connection", "client", "child"):
        assert json.loads(found[client])["path"] == "/from/java", found
    assert found["trusted"] > 1
    files = {**classes, "empty.jks": java_store(b"")}
    own = {"JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore=/var/task/empty.jks"}
    deploy(lambda_client, f"{name}-own", files, Environment={"Variables": own}, **more)
    found, _ = invoke(lambda_client, f"{name}-own", event)
    assert "connection" not in found
    assert "trustAnchors" in found["error"] or "certification path" in found["error"], found


HALF_OPEN = """
import socket
held = []
def handler(event, context):
    closed = 0
    for _ in range(60):
        held.append(socket.create_connection(("127.0.0.1", 443), timeout=5))
    for peer in held:
        peer.settimeout(0.1)
        try:
            closed += peer.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionError:
            closed += 1
    return closed
"""


def test_half_open_handshakes(receiver: str, lambda_client: Any) -> None:
    """Of a function that begins many and goes on with none, only some are held, and others do not
    notice."""
    deploy(lambda_client, "names-half-open", {"app.py": HALF_OPEN}, Timeout=60)
    closed, _ = invoke(lambda_client, "names-half-open")
    assert 28 <= closed <= 60
    deploy(lambda_client, "names-beside", {"app.py": GET_IN_PYTHON})
    found, _ = invoke(lambda_client, "names-beside", {"url": f"https://{receiver}/beside"})
    assert found.get("status") == 200, found


def over_tls(context: ssl.SSLContext, port: int, name: str, path: str) -> bytes:
    """The whole response of a server on this machine."""
    request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        secured.sendall(request.encode())
        received = b""
        while data := secured.recv(65536):
            received += data
    return received


def test_the_front_door(start_platform: Callable[..., Platform]) -> None:
    """With `--tls auto` it serves HTTPS next to HTTP, by certificates that a person can trust."""
    running = start_platform(None, "--tls", "auto", "--tls-port", "0")
    client = running.client("lambda")
    deploy(client, "front", {"app.py": RECEIVER})
    made = client.create_function_url_config(FunctionName="front", AuthType="NONE")
    host = str(urlsplit(made["FunctionUrl"]).hostname)
    secure = re.search(r"serves TLS at https://127\.0\.0\.1:(\d+); trust (\S+)", running.output)
    assert secure is not None
    port, trusted = int(secure[1]), secure[2]
    printed = subprocess.run(
        [sys.executable, "-m", "lambent", "certificate", "--data-dir", str(running.data_dir)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == trusted
    context = ssl.create_default_context(cafile=trusted)
    by_path = f"/_lambent/url/{host.partition('.')[0]}/"
    for name, path in ((host, "/"), ("localhost", by_path), ("127.0.0.1", by_path)):
        assert over_tls(context, port, name, path).startswith(b"HTTP/1.1 200")
    for name in ("example.com", "abcdefghij.execute-api.us-east-1.amazonaws.com"):
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            over_tls(context, port, name, "/")
    connection = http.client.HTTPConnection(urlsplit(running.endpoint).netloc, timeout=30)
    connection.request("GET", "/_lambent/health")
    assert connection.getresponse().status == 200
    connection.close()
    keys = list((running.data_dir / "state" / "authorities").glob("*.key"))
    assert [key.stat().st_mode & 0o777 for key in keys] == [0o600, 0o600]
