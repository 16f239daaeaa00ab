"""REST APIs made of documents, served by a real front door."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lambent.model.document import Root
from lambent.triggers.apis.rest.keys import KeyDirectory
from lambent.triggers.apis.rest.kind import RestApis
from lambent.triggers.apis.rest.usage import UsagePlans
from lambent.triggers.apis.rest.usage_counts import UsageCounts
from tests.unit.triggers.apis.serving import ACCOUNT, REGION, Response, Served, serving

API = "r1e2s3t4a5"
HOST = f"{API}.execute-api.us-east-1.localhost"
ROOT = Root("apigateway", ACCOUNT, REGION, API)
ACCOUNT_ROOT = Root("apigateway", ACCOUNT, REGION, "")
OPEN: Mapping[str, Any] = {"authorizationType": "NONE", "apiKeyRequired": False}
_DEPLOYMENT = iter(range(1_000_000))


@contextmanager
def serving_rest(directory: Path, **options: Any) -> Iterator[Served]:
    """Serve REST APIs."""

    async def add() -> None:
        keys = KeyDirectory(served.store)
        await served.store.follow(keys)
        context = served.apis.context
        counts = UsageCounts(served.store, context.clock)
        usage = UsagePlans(counts, context.throttles.new)
        served.apis.directory.add_kind("REST", RestApis(context, keys, usage))

    # Keys are read from the store, which is there when the rest is.
    with serving(directory, lambda _: None, **options) as served:
        served.portal.call(add)
        yield served


class RestApi:
    """An API, deployed to the stage `stage`."""

    def __init__(self, served: Served) -> None:
        self.served = served

    def deploy(
        self,
        methods: Mapping[str, Mapping[str, Any]],
        *,
        api: Mapping[str, Any] | None = None,
        stage: Mapping[str, Any] | None = None,
        others: list[list[Any]] | None = None,
    ) -> None:
        """Deploy methods, by `GET /pets/{id}`."""
        snapshot: list[list[Any]] = [["api", API, {"id": API, **(api or {})}], *(others or [])]
        ids: dict[str, str] = {}
        for key, method in methods.items():
            verb, _, path = key.partition(" ")
            id = ids.setdefault(path, f"res{len(ids)}")
            snapshot.append(["resource", id, {"id": id, "path": path}])
            snapshot.append(["method", f"{id}/{verb}", {"httpMethod": verb, **OPEN, **method}])
        deployment = f"d{next(_DEPLOYMENT)}"
        self.served.put(
            ROOT,
            ("api", API, {"id": API, **(api or {})}),
            ("deployment", deployment, {"id": deployment, "snapshot": snapshot}),
            ("stage", "stage", {"stageName": "stage", "deploymentId": deployment, **(stage or {})}),
        )

    def request(self, path: str, method: str = "GET", **more: Any) -> Response:
        """A request below the host."""
        return self.served.request(HOST, method, path, **more)

    def authorizer(self, function: Callable[[Any], Any], **body: Any) -> list[Any]:
        """An authorizer `a` that a function is."""
        arn = self.served.function("authorizer", function)
        return ["authorizer", "a", {"id": "a", "authorizerUri": uri(arn), **body}]

    def proxy(self, function: Callable[[Any], Any], name: str = "f") -> dict[str, Any]:
        """A method that a function serves."""
        arn = self.served.function(name, function)
        return {"methodIntegration": {"type": "AWS_PROXY", "httpMethod": "POST", "uri": uri(arn)}}


def uri(arn: str) -> str:
    """As integrations name functions."""
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"


def mock(
    request: str = '{"statusCode": 200}',
    template: str | None = None,
    parameters: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A method with a mock."""
    response: dict[str, Any] = {"statusCode": "200"}
    if template is not None:
        response["responseTemplates"] = {"application/json": template}
    if parameters is not None:
        response["responseParameters"] = parameters
    return {
        "methodIntegration": {
            "type": "MOCK",
            "requestTemplates": {"application/json": request},
            "integrationResponses": {"200": response},
            **more,
        }
    }
