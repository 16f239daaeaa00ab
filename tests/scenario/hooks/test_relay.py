"""The relay: two strict platforms, one of which stands for AWS. The relay is deployed there, from
its template, and calls functions on the other, over TLS."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import Platform, deploy, invoke
from tests.scenario.test_identity import TRUST, Strict

from .hooks import lambent

RELAY = Path(__file__).parents[3] / "examples/relay"
RUNTIME = f"python3.{sys.version_info.minor}"
HERE = """
import time

class NoStock(Exception):
    pass

def handler(event, context):
    if event == "fail":
        raise NoStock("none left")
    if event == "sleep":
        time.sleep(15)
    if event == "nothing":
        return None
    return {"here": event}
"""


def own_address() -> str:
    """An address of this machine besides loopback: boxes have a loopback of their own."""
    table = Path("/proc/net/fib_trie").read_text()
    found = re.findall(r"\|-- (?!127\.)(\S+)\n\s+/32 host LOCAL", table)
    if not found:
        pytest.skip("needs an address besides loopback")
    return str(found[0])


class Pair:
    """Both platforms, and the relay between them."""

    def __init__(self, aws: Strict, here: Strict, directory: Path) -> None:
        self.aws, self.here = aws, here
        url = re.search(r"serves TLS at (\S+); trust (\S+)", here.platform.output)
        assert url is not None, here.platform.output
        self.endpoint = url[1]
        shutil.copytree(RELAY, directory)
        shutil.copy(url[2], directory / "ca.pem")
        self.template = directory
        for each in (aws, here):
            each.client("iam").create_role(
                RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST)
            )
        deploy(here.client("lambda"), "orders", {"app.py": HERE})
        self.secrets = aws.client("secretsmanager")
        self.key = self.secrets.create_secret(Name="relay", SecretString="{}")["ARN"]

    def keep(self, keys: dict[str, str]) -> None:
        """Put the key of a user of the platform into the secret."""
        known = {name.removeprefix("aws_"): value for name, value in keys.items()}
        self.secrets.put_secret_value(SecretId=self.key, SecretString=json.dumps(known))

    def deploy(self, name: str, **parameters: str) -> str:
        """Deploy the template in AWS; returns the name of the relay."""
        given = {
            "Endpoint": self.endpoint,
            "Key": self.key,
            "Runtime": RUNTIME,
            "Function": "orders",
            **parameters,
        }
        done = lambent(
            self.aws.platform,
            "deploy",
            str(self.template),
            *("--stack", name, "--json"),
            *[word for pair in given.items() for word in ("--param", "=".join(pair))],
            AWS_ACCESS_KEY_ID=self.aws.root["aws_access_key_id"],
            AWS_SECRET_ACCESS_KEY=self.aws.root["aws_secret_access_key"],
        )
        assert done.returncode == 0, done.stderr
        (output,) = json.loads(done.stdout)["Outputs"]
        return str(output["OutputValue"])

    def call(self, relay: str, event: Any) -> tuple[Any, str | None]:
        """What a caller in AWS gets: the result, and the kind of error."""
        result, answer = invoke(self.aws.client("lambda"), relay, event)
        return result, answer.get("FunctionError")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two strict platforms."""
    address, root = own_address(), tmp_path_factory.mktemp("relay")
    strict = ("--auth", "strict")
    here = Platform(root / "here", *strict, "--host", address, "--set", "server.tls=auto")
    aws = Platform(root / "aws", *strict, "--set", f"egress.allow={address}/32")
    yield Pair(Strict(aws), Strict(here), root / "template")
    assert aws.stop() == here.stop() == 0


def test_events_and_responses_pass(pair: Pair) -> None:
    """A caller in AWS sees what the function here does: its results, errors and refusals. A key
    that was replaced is read again."""
    allowed = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:orders",
    }
    user = pair.here.user("relay", allowed)
    pair.keep(user)
    relay = pair.deploy("relay-orders", Timeout="6")
    assert pair.call(relay, {"a": "\u00fc"}) == ({"here": {"a": "\u00fc"}}, None)
    assert pair.call(relay, "nothing") == (None, None)
    failed, kind = pair.call(relay, "fail")
    assert (failed["errorType"], failed["errorMessage"], kind) == (
        "NoStock",
        "none left",
        "Unhandled",
    )
    late, kind = pair.call(relay, "sleep")
    assert (late["errorType"], kind) == ("ReadTimeoutError", "Unhandled")
    limits = pair.here.client("lambda")
    limits.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    assert pair.call(relay, 1)[0]["errorType"] == "TooManyRequestsException"
    limits.delete_function_concurrency(FunctionName="orders")
    iam = pair.here.client("iam")
    second = iam.create_access_key(UserName="relay")["AccessKey"]
    iam.delete_access_key(UserName="relay", AccessKeyId=user["aws_access_key_id"])
    assert pair.call(relay, 1)[0]["errorType"] == "UnrecognizedClientException"
    pair.keep(
        {
            "aws_access_key_id": second["AccessKeyId"],
            "aws_secret_access_key": second["SecretAccessKey"],
        }
    )
    assert pair.call(relay, 2) == ({"here": 2}, None)


def test_one_function_and_no_other(pair: Pair) -> None:
    """The user here decides what a relay may call; and it is not the platform's HTTP alone."""
    deploy(pair.here.client("lambda"), "private", {"app.py": HERE})
    relay = pair.deploy("relay-private", Function="private", InvocationType="Event")
    refused, kind = pair.call(relay, 1)
    assert (refused["errorType"], kind) == ("AccessDeniedException", "Unhandled")
