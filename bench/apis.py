"""What an HTTP API adds to a call: Invoke, a function URL and HTTP APIs, of the same function."""

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
from bench import load
from bench.own import (
    MEMORY_MB,
    NO_OP,
    PYTHON,
    Row,
    cpu_s,
    deploy,
    measure,
    pid_of,
    row,
    running_platform,
)

_COUNT = 5_000
_AUTHORIZER = "def handler(event, context):\n    return {'isAuthorized': True}\n"
_ROUNDS = 3
"""Each case is measured so often, in turn: what the machine does besides meets all of them."""


def measure_apis(scale: float, report: Callable[[str], None]) -> Iterator[Row]:
    """Warm calls, over one connection and over 16; the best round of each. The platform's processor
    time does not depend on what the machine does besides as much as the rate does."""
    with running_platform() as endpoint:
        report("deploying")
        cases = _cases(endpoint)
        for title, sample, invoke, cpu_us in _best_rounds(endpoint, cases, 1, scale, report):
            more = sample.percentile_ms(50) - invoke.percentile_ms(50)
            yield row(
                title, sample, note=f"{more:+.3f} ms compared with Invoke; {cpu_us:.0f} µs CPU"
            )
        for title, sample, invoke, cpu_us in _best_rounds(endpoint, cases, 16, scale, report):
            rate = f"{sample.rate / invoke.rate:.0%} of the rate of Invoke"
            yield row(title, sample, note=f"{rate}; {cpu_us:.0f} µs CPU")


def _best_rounds(
    endpoint: str,
    cases: dict[str, bytes],
    connections: int,
    scale: float,
    report: Callable[[str], None],
) -> Iterator[tuple[str, load.Sample, load.Sample, float]]:
    """Each case's title, its fastest round, Invoke's, and the platform's least processor time for a
    call in microseconds."""
    count = max(int(_COUNT * scale), 100) * (4 if connections > 1 else 1)
    pid = pid_of(endpoint)
    best: dict[str, load.Sample] = {}
    least: dict[str, float] = {}
    for _ in range(_ROUNDS):
        for case, request in cases.items():
            title = f"{case}, c={connections}"
            report(f"measuring {title}")
            measure(endpoint, [request], connections, 500 * connections)
            before = cpu_s(pid)
            sample = measure(endpoint, [request], connections, count)
            used_us = (cpu_s(pid) - before) / count * 1e6
            least[title] = min(used_us, least.get(title, used_us))
            known = best.get(title)
            if known is None or sample.rate > known.rate:
                best[title] = sample
    invoke = next(iter(best.values()))
    for title, sample in best.items():
        yield title, sample, invoke, least[title]


def _cases(endpoint: str) -> dict[str, bytes]:
    lambda_ = _client(endpoint, "lambda")
    more = {"Runtime": PYTHON, "MemorySize": MEMORY_MB}
    deploy(lambda_, "work", {"app.py": NO_OP}, **more)
    deploy(lambda_, "gate", {"app.py": _AUTHORIZER}, **more)
    url = lambda_.create_function_url_config(FunctionName="work", AuthType="NONE")
    url_id = url["FunctionUrl"].split("/")[2].partition(".")[0]
    arns = {
        name: lambda_.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        for name in ("work", "gate")
    }
    api = _api(_client(endpoint, "apigatewayv2"), **arns)
    return {
        "Invoke": load.invoke_request(endpoint, "work"),
        "function URL": load.post_request(endpoint, f"/_lambent/url/{url_id}/"),
        "HTTP API": load.post_request(endpoint, f"/_lambent/api/{api}/open"),
        "HTTP API, cached authorizer": load.post_request(endpoint, f"/_lambent/api/{api}/closed"),
    }


def _api(client: Any, *, work: str, gate: str) -> str:
    api: str = client.create_api(Name="bench", ProtocolType="HTTP")["ApiId"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{gate}/invocations"
    authorizer = client.create_authorizer(
        ApiId=api,
        Name="gate",
        AuthorizerType="REQUEST",
        AuthorizerUri=uri,
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        AuthorizerResultTtlInSeconds=3600,
        IdentitySource=["$request.header.Authorization"],
    )["AuthorizerId"]
    integration = client.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=work,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    target = f"integrations/{integration}"
    client.create_route(ApiId=api, RouteKey="POST /open", Target=target)
    client.create_route(
        ApiId=api,
        RouteKey="POST /closed",
        Target=target,
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer,
    )
    client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return api


def _client(endpoint: str, service: str) -> Any:
    return botocore.session.get_session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="000000000000",
        aws_secret_access_key="bench",
    )
