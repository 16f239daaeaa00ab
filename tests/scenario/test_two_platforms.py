"""Two platforms on one PostgreSQL: a change on one takes effect on the other within a second."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.databases import PostgreSql

from .conftest import ROLE, Platform, deploy, invoke, wait_active, wait_for, zip_of
from .test_identity import TRUST, Strict

CODE = "def handler(event, context): return {version}"
WITHIN_S = 1.0


class Pair:
    """Both of them."""

    def __init__(self, one: Platform, other: Platform) -> None:
        root = Strict(one).root
        self.here, self.there = one.client("lambda", **root), other.client("lambda", **root)
        self.iam = one.client("iam", **root)
        self.iam.create_role(RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST))
        self.platforms = (one, other)


@pytest.fixture(scope="module")
def pair(postgresql: PostgreSql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Strict platforms with one database and one directory of packages."""
    root = tmp_path_factory.mktemp("two")
    environment = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(root / "packages"),
        "LAMBENT_SERVER__AUTH": "strict",
    }
    with ExitStack() as stack:
        started = []
        for name in ("one", "other"):
            started.append(Platform(root / name, environment=environment))
            stack.callback(started[-1].stop)
        yield Pair(*started)


def soon(condition: Callable[[], bool]) -> float:
    """Wait until it holds; returns how long that took."""
    began = time.monotonic()
    wait_for(condition, "the other platform hears of it")
    return time.monotonic() - began


def error_of(call: Callable[..., Any], **parameters: Any) -> str:
    """The code it is refused with; empty if it is not."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_code_limits_and_the_end_of_a_function(pair: Pair) -> None:
    took_s = []
    deploy(pair.here, "f", {"app.py": CODE.format(version=1)})
    took_s.append(soon(lambda: error_of(pair.there.get_function, FunctionName="f") == ""))
    assert invoke(pair.there, "f")[0] == 1

    pair.here.update_function_code(
        FunctionName="f", ZipFile=zip_of({"app.py": CODE.format(version=2)})
    )
    wait_active(pair.here, "f")
    took_s.append(soon(lambda: invoke(pair.there, "f")[0] == 2))

    pair.here.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    took_s.append(
        soon(lambda: error_of(pair.there.invoke, FunctionName="f") == "TooManyRequestsException")
    )
    pair.there.delete_function_concurrency(FunctionName="f")
    took_s.append(soon(lambda: error_of(pair.here.invoke, FunctionName="f") == ""))

    pair.here.delete_function(FunctionName="f")
    took_s.append(
        soon(lambda: error_of(pair.there.invoke, FunctionName="f") == "ResourceNotFoundException")
    )
    assert sorted(took_s)[len(took_s) // 2] < WITHIN_S, took_s


def test_a_key_that_is_revoked(pair: Pair) -> None:
    pair.iam.create_user(UserName="mia")
    pair.iam.put_user_policy(
        UserName="mia",
        PolicyName="all",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            }
        ),
    )
    made = pair.iam.create_access_key(UserName="mia")["AccessKey"]
    mia = pair.platforms[1].client(
        "lambda",
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
    )
    soon(lambda: error_of(mia.list_functions) == "")
    pair.iam.delete_user_policy(UserName="mia", PolicyName="all")
    denied_s = soon(lambda: error_of(mia.list_functions) == "AccessDeniedException")
    pair.iam.delete_access_key(UserName="mia", AccessKeyId=made["AccessKeyId"])
    revoked_s = soon(lambda: error_of(mia.list_functions) == "UnrecognizedClientException")
    assert min(denied_s, revoked_s) < WITHIN_S


def test_urls_and_policies(pair: Pair) -> None:
    deploy(pair.here, "u", {"app.py": CODE.format(version='{"statusCode": 200}')})
    url = pair.here.create_function_url_config(FunctionName="u", AuthType="NONE")["FunctionUrl"]
    url_id = url.partition("//")[2].partition(".")[0]

    def status() -> int:
        try:
            address = f"{pair.platforms[1].endpoint}/_lambent/url/{url_id}/"
            with urllib.request.urlopen(address, timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert status() == 403
    for number, more in enumerate(
        (
            {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
            {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
        )
    ):
        pair.here.add_permission(FunctionName="u", StatementId=f"s{number}", Principal="*", **more)
    soon(lambda: status() == 200)
    pair.here.delete_function_url_config(FunctionName="u")
    soon(lambda: status() == 403)


def test_each_version_number_and_name_is_given_once(pair: Pair) -> None:
    """Both publish and create at the same time."""
    clients = (pair.here, pair.there)
    code = {"ZipFile": zip_of({"app.py": CODE.format(version=1)})}

    def create(number: int) -> str:
        return error_of(
            clients[number % 2].create_function,
            FunctionName=f"race-{number // 2}",
            Runtime="python3.12",
            Handler="app.handler",
            Role=ROLE,
            Code=code,
        )

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(create, range(16)))
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert sorted((first, second)) == ["", "ResourceConflictException"]
