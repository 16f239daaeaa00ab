"""What an HTTP API adds to a call: Invoke, a function URL and HTTP APIs, of the same function."""

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
from bench import load
from bench.own import MEMORY_MB, NO_OP, PYTHON, Row, deploy, measure, row, running_platform

_COUNT = 5_000
_AUTHORIZER = "def handler(event, context):\n    return {'isAuthorized': True}\n"
_ROUNDS = 3
"""Each case is measured so often, in turn: what the machine does besides meets all of them."""


def measure_apis(scale: float, report: Callable[[str], None]) -> Iterator[Row]:
    """One connection, warm; the best round of each."""
    count = max(int(_COUNT * scale), 100)
    with running_platform() as endpoint:
        report("deploying")
        cases = _cases(endpoint)
        best: dict[str, load.Sample] = {}
        for _ in range(_ROUNDS):
            for title, request in cases.items():
                report(f"measuring {title}")
                measure(endpoint, [request], 1, 500)
                sample = measure(endpoint, [request], 1, count)
                known = best.get(title)
                if known is None or sample.percentile_ms(50) < known.percentile_ms(50):
                    best[title] = sample
        invoke_ms = next(iter(best.values())).percentile_ms(50)
        for title, sample in best.items():
            more = sample.percentile_ms(50) - invoke_ms
            yield row(f"{title}, c=1", sample, note=f"{more:+.3f} ms compared with Invoke")


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
