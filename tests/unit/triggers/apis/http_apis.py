"""HTTP APIs in the form in which the control plane stores them."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lambent.assembly.apis import Apis
from lambent.model.document import Root
from lambent.triggers.apis.http.kind import HttpApis

from .serving import ACCOUNT, REGION, Response, Served, serving

_ids = itertools.count(1)


class HttpApi:
    """One API with a stage, `$default` unless said otherwise."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.id = f"api{next(_ids):07}"
        self.root = Root("apigatewayv2", ACCOUNT, REGION, self.id)
        self.host = f"{self.id}.execute-api.{REGION}.localhost"
        self.documents: list[tuple[str, str, dict[str, Any]]] = []

    def add(self, kind: str, **body: Any) -> str:
        """Add a document; returns its id."""
        id = f"{kind[0]}{len(self.documents):05}"
        self.documents.append((kind, id, body))
        return id

    def integration(self, uri: str, **body: Any) -> str:
        """Add an integration with a function; returns the target of its routes."""
        plain = {
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": uri,
            "PayloadFormatVersion": "2.0",
        }
        return f"integrations/{self.add('integration', **{**plain, **body})}"

    def route(self, key: str, target: str | None, **body: Any) -> None:
        """Add a route."""
        self.add("route", RouteKey=key, Target=target, **body)

    def deploy(self, stage: str = "$default", *, cors: Any = None, **stage_body: Any) -> "HttpApi":
        """Deploy what there is to a stage."""
        api = {"ApiId": self.id, "ProtocolType": "HTTP", "CorsConfiguration": cors}
        snapshot = [["api", self.id, api], *map(list, self.documents)]
        self.served.put(
            self.root,
            ("api", self.id, api),
            ("deployment", f"d{stage}", {"Snapshot": snapshot}),
            ("stage", stage, {"StageName": stage, "DeploymentId": f"d{stage}", **stage_body}),
        )
        return self

    def get(self, path: str = "/", **headers: str) -> Response:
        """GET, with headers whose names have `_` for `-`."""
        return self.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    def request(
        self, method: str, path: str = "/", body: bytes | None = None, headers: Any = ()
    ) -> Response:
        """Any request."""
        return self.served.request(self.host, method, path, body, headers)


def one_function(served: Served, uri: str, *, key: str = "$default", **more: Any) -> HttpApi:
    """An API with one route to a function."""
    api = HttpApi(served)
    api.route(key, api.integration(uri, **more))
    return api.deploy()


@contextmanager
def serving_http(directory: Path, **options: Any) -> Iterator[Served]:
    """Serve HTTP APIs; see `serving` for the options."""

    def add_kinds(apis: Apis) -> None:
        apis.directory.add_kind("HTTP", HttpApis(apis.context))

    with serving(directory, add_kinds, **options) as served:
        yield served


def claims_of(response: Response) -> Mapping[str, str]:
    """The claims that the echoed event has."""
    found: Mapping[str, str] = response.json()["requestContext"]["authorizer"]["jwt"]["claims"]
    return found
