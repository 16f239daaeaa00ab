"""nginx and HAProxy in front of a hook, configured as docs/callers/load-balancers.md says."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.platforms import Platform, deploy
from tests.servers.processes import Server, answers, free_port, skip_without

from .hooks import Hook, create

PAGE = Path(__file__).parents[3] / "docs/callers/load-balancers.md"
SOURCE = """
import json
def handler(event, context):
    return {"statusCode": 201, "headers": {"X-Seen": "yes"}, "body": json.dumps(event)}
"""
SECRET = "my-own-secret"
NGINX = """
daemon off; master_process off; pid {directory}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/a; proxy_temp_path {directory}/b;
    fastcgi_temp_path {directory}/c; uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
    server {{
        listen 127.0.0.1:{port};
        {printed}
    }}
}}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend in
    bind 127.0.0.1:{port}
    default_backend lambent
{printed}
"""


class Proxy(Server):
    """A proxy with the configuration of the page, for a hook."""

    def __init__(self, program: str, hook: Hook) -> None:
        super().__init__()
        self._program, self.port = program, free_port()
        template, language = (NGINX, "nginx") if program == "nginx" else (HAPROXY, "")
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        (printed,) = [text for name, text in blocks if name == language]
        assert "<id>" in printed
        address = urlsplit(hook.address)
        printed = printed.replace("<id>", address.path.rpartition("/")[2])
        printed = printed.replace("127.0.0.1:5262", address.netloc)
        text = template.format(directory=self.directory, port=self.port, printed=printed)
        (self.directory / "proxy.conf").write_text(text)

    def command(self) -> list[str]:
        file = f"{self.directory}/proxy.conf"
        if self._program == "nginx":
            return ["/usr/sbin/nginx", "-p", str(self.directory), "-c", file]
        return ["/usr/sbin/haproxy", "-db", "-f", file]

    def is_ready(self) -> bool:
        return answers(self.port)


@pytest.fixture(scope="module")
def hook(platform: Platform, lambda_client: Any) -> Hook:
    """A hook whose function returns its event."""
    deploy(lambda_client, "behind-proxies", {"app.py": SOURCE})
    arguments = ("alb", "--function", "behind-proxies", "--secret", "-")
    return create(platform, "proxied", *arguments, given=f"{SECRET}\n")


@pytest.fixture(params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest, hook: Hook) -> Iterator[Proxy]:
    """One of the programs of the distribution."""
    package = "nginx-light" if request.param == "nginx" else request.param
    skip_without(f"/usr/sbin/{request.param}", package)
    with Proxy(request.param, hook) as running:
        yield running


def test_requests_pass(proxy: Proxy, hook: Hook) -> None:
    """Path, query, body and the client's address arrive, and the secret does not; what the client
    says of itself is not believed without the proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
    headers = {
        "Host": "shop.example",
        "X-Forwarded-For": "203.0.113.9",
        "Content-Type": "text/plain",
    }
    connection.request("POST", "/shoes/red?size=9&a=%20b", b"hello", headers)
    response = connection.getresponse()
    event = json.loads(response.read())
    connection.close()
    assert (response.status, response.headers["X-Seen"]) == (201, "yes")
    assert (event["httpMethod"], event["path"]) == ("POST", "/shoes/red")
    assert event["queryStringParameters"] == {"size": "9", "a": "%20b"}
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    assert event["headers"]["host"] == "shop.example"
    assert event["headers"]["x-forwarded-for"].split(",")[-1].strip() == "127.0.0.1"
    assert SECRET not in json.dumps(event)
    assert hook.post(b"hello", path="/shoes").status == 401
