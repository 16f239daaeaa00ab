"""Stacks: how long it takes to make, change and delete one, and until a function that is watched
has new code."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
from bench import load
from bench.own import PYTHON, Report, Row, cpu_s, pid_of, row, running_platform

_TRIALS = 5
_CHANGES = 10
_ACCOUNT = "000000000000"
_TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
}
_CODE = "def handler(event, context):\n    return 1\n"


def measure_stacks(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    with running_platform() as endpoint:
        client, pid = _client("cloudformation", endpoint), pid_of(endpoint)
        trials = max(int(_TRIALS * scale), 2)
        for count in (20, 200):
            report(f"stacks of {count} resources")
            yield from _measure_life(client, pid, count, trials)
        report("a change of a function's source")
        yield _measure_change(endpoint, max(int(_CHANGES * scale), 3))


def _client(service: str, endpoint: str) -> Any:
    return botocore.session.get_session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=_ACCOUNT,
        aws_secret_access_key="bench",
    )


def _resource(type: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{type}", "Properties": properties}


def _group(number: int, value: str) -> dict[str, Any]:
    """Ten resources, some of which need others."""
    n, arn = number, {"Fn::GetAtt": [f"Function{number}", "Arn"]}
    return {
        f"Role{n}": _resource("IAM::Role", AssumeRolePolicyDocument=_TRUST),
        f"Function{n}": _resource(
            "Lambda::Function",
            Runtime=PYTHON,
            Handler="index.handler",
            Role={"Fn::GetAtt": [f"Role{n}", "Arn"]},
            Environment={"Variables": {"VALUE": value}},
            Code={"ZipFile": _CODE},
        ),
        f"Logs{n}": _resource("Logs::LogGroup", RetentionInDays=1),
        f"Api{n}": _resource("ApiGatewayV2::Api", Name=f"api-{n}", ProtocolType="HTTP"),
        f"Integration{n}": _resource(
            "ApiGatewayV2::Integration",
            ApiId={"Ref": f"Api{n}"},
            IntegrationType="AWS_PROXY",
            IntegrationUri=arn,
            PayloadFormatVersion="2.0",
        ),
        f"Route{n}": _resource(
            "ApiGatewayV2::Route",
            ApiId={"Ref": f"Api{n}"},
            RouteKey="$default",
            Target={"Fn::Sub": f"integrations/${{Integration{n}}}"},
        ),
        f"Stage{n}": _resource(
            "ApiGatewayV2::Stage", ApiId={"Ref": f"Api{n}"}, StageName="$default", AutoDeploy=True
        ),
        f"Permission{n}": _resource(
            "Lambda::Permission",
            FunctionName=arn,
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        ),
        f"Rule{n}": _resource(
            "Events::Rule", EventPattern={"source": ["a"]}, Targets=[{"Id": "a", "Arn": arn}]
        ),
        f"Value{n}": _resource("SSM::Parameter", Type="String", Value=value),
    }


def _template(count: int, value: str) -> str:
    groups = [_group(number, value if number == 0 else "-") for number in range(count // 10)]
    resources = {name: resource for group in groups for name, resource in group.items()}
    return json.dumps({"Resources": resources})


def _measure_life(client: Any, pid: int, count: int, trials: int) -> Iterator[Row]:
    """Stacks, one after the other: made, changed a little, deleted."""
    latencies: dict[str, list[float]] = {"made": [], "changed": [], "deleted": []}
    used_s = dict.fromkeys(latencies, 0.0)

    def note(what: str, id: str, began: float, used_before_s: float) -> None:
        _settle(client, id)
        latencies[what].append(time.perf_counter() - began)
        used_s[what] += cpu_s(pid) - used_before_s

    for trial in range(trials):
        params = {"StackName": f"bench-{count}-{trial}", "Capabilities": ["CAPABILITY_IAM"]}
        first, second = _template(count, "a"), _template(count, "b")
        before = time.perf_counter(), cpu_s(pid)
        id = client.create_stack(**params, TemplateBody=first)["StackId"]
        note("made", id, *before)
        before = time.perf_counter(), cpu_s(pid)
        client.update_stack(**params, TemplateBody=second)
        note("changed", id, *before)
        before = time.perf_counter(), cpu_s(pid)
        client.delete_stack(StackName=id)
        note("deleted", id, *before)
    for what, found in latencies.items():
        sample = load.Sample(latencies_s=found, errors=0, duration_s=sum(found))
        used = f"{used_s[what] / trials:.2f} s of CPU"
        yield row(f"a stack of {count} resources is {what}", sample, note=used)


def _settle(client: Any, id: str) -> None:
    """Wait until no operation is under way."""
    while True:
        (stack,) = client.describe_stacks(StackName=id)["Stacks"]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            assert stack["StackStatus"].endswith("E_COMPLETE"), stack
            return
        time.sleep(0.02)  # noqa: TID251 - another process is measured, on the wall clock


def _measure_change(endpoint: str, count: int) -> Row:
    """From a file that is saved to the first answer of the new code."""
    client = _client("lambda", endpoint)
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as home:
        source = Path(home, "watched", "app.py")
        source.parent.mkdir()
        source.write_text(_source(0))
        command = [sys.executable, "-m", "lambent", "deploy", str(source.parent), "--watch"]
        command += ["--name", "watched", "--runtime", PYTHON, "--handler", "app.handler"]
        variables = {**os.environ, "LAMBENT_ENDPOINT": endpoint, "HOME": home}
        variables |= {"AWS_ACCESS_KEY_ID": _ACCOUNT, "AWS_SECRET_ACCESS_KEY": "bench"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables
        ) as process:
            assert process.stdout is not None
            try:
                _find(process.stdout.readline, "watching")
                latencies = []
                for number in range(1, count + 1):
                    before = time.perf_counter()
                    source.write_text(_source(number))
                    while _answer(client) != number:
                        time.sleep(0.01)  # noqa: TID251 - as above
                    latencies.append(time.perf_counter() - before)
            finally:
                process.terminate()
    sample = load.Sample(latencies_s=latencies, errors=0, duration_s=sum(latencies))
    return row("a saved file, until a call is answered by its code", sample)


def _source(number: int) -> str:
    return f"def handler(event, context):\n    return {number}\n"


def _answer(client: Any) -> Any:
    return json.load(client.invoke(FunctionName="watched")["Payload"])


def _find(read: Callable[[], str], word: str) -> None:
    while word not in (line := read()):
        assert line, f"the process has ended before {word!r}"
