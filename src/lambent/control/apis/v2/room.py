"""All use cases of HTTP and WebSocket APIs. Each takes account, region and the input members of its
operation, and returns output members; times are epoch seconds. All raise `ApiError`."""

import dataclasses
from collections.abc import Callable
from typing import Any

from lambent.control.apis.deployments import SNAPSHOT
from lambent.control.apis.domain_names import SERVICE as DOMAINS
from lambent.control.apis.errors import bad_request, not_found
from lambent.control.apis.ids import new_api_id
from lambent.control.apis.kinds import Params
from lambent.control.apis.model_templates import model_template
from lambent.control.apis.openapi.reading import read_document
from lambent.control.apis.tags import DocumentTags
from lambent.control.apis.use_cases import Dialect, Resources
from lambent.control.apis.v2 import exporting
from lambent.control.apis.v2.domain_names import DomainNames
from lambent.control.apis.v2.importing import make_plan
from lambent.control.apis.v2.stages import (
    CACHE_REVISION,
    assign,
    deploy,
    deploy_automatically,
)
from lambent.control.apis.v2.table import KINDS
from lambent.control.apis.v2.texts import is_http
from lambent.control.apis.v2.whole_apis import WholeApi
from lambent.kit.clock import Clock
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.model.arn import Scope
from lambent.model.document import Body, Root
from lambent.model.stack_documents import TOKEN_TAG
from lambent.store.store import Store, Transaction

SERVICE = "apigatewayv2"
_DIALECT = Dialect(
    service=SERVICE,
    size="MaxResults",
    token_in="NextToken",
    token_out="NextToken",
    items="Items",
    page_default=100,
    page_max=500,
)


class ApisV2:
    """The use cases."""

    def __init__(self, store: Store, clock: Clock, *, domain: str) -> None:
        """`domain` is what host names of APIs end in."""
        self._store = store
        self._clock = clock
        self.resources = Resources(store, _DIALECT, KINDS, self._changed)
        """Operations that are rows of the table of kinds."""
        self.domains = DomainNames(store, dataclasses.replace(_DIALECT, service=DOMAINS), domain)
        """Operations on domain names and their mappings."""
        self.tags = DocumentTags(store)
        """Operations on tags."""

    # -- APIs ----------------------------------------------------------------------------------

    async def create_api(self, scope: Scope, params: Params) -> Params:
        """CreateApi, with what quick create adds."""
        now = self._now()

        def run(tx: Transaction) -> Params:
            root = Root(SERVICE, *scope, new_api_id(tx))
            tx.locks.root(root)
            api = WholeApi(tx, KINDS, root).create(params, now)
            self._changed(tx, root)
            return api.body

        return await self._store.transact(run)

    async def update_api(self, scope: Scope, params: Params) -> Params:
        """UpdateApi."""
        given = {name: value for name, value in params.items() if name != "ApiId"}
        return await self._on_api(scope, params, lambda api: api.update(given).body)

    async def delete_cors(self, scope: Scope, params: Params) -> Params:
        """DeleteCorsConfiguration."""
        return await self._edit(
            "api", scope, params, lambda body: _without(body, "CorsConfiguration")
        )

    async def import_api(self, scope: Scope, params: Params) -> Params:
        """ImportApi."""
        plan, imported = await self._plan(params)
        now = self._now()

        def run(tx: Transaction) -> Params:
            root = Root(SERVICE, *scope, new_api_id(tx))
            tx.locks.root(root)
            whole = WholeApi(tx, KINDS, root)
            api = whole.create({**plan.api, **imported}, now)
            whole.fill(plan)
            return api.body

        return await self._store.transact(run)

    async def reimport_api(self, scope: Scope, params: Params) -> Params:
        """ReimportApi."""
        plan, imported = await self._plan(params)
        return await self._on_api(scope, params, lambda api: api.replace(plan, imported).body)

    async def export_api(self, scope: Scope, params: Params, endpoint: str) -> bytes:
        """ExportApi: the API as it is, or as a stage has it. `endpoint` is its address."""
        if params["Specification"] != "OAS30":
            raise bad_request("Specification must be OAS30")
        if params.get("ExportVersion", "1.0") != "1.0":
            raise bad_request("ExportVersion must be 1.0")
        stage = params.get("StageName")

        def run(tx: Transaction) -> exporting.Snapshot:
            documents = self.resources.collection(tx, "api", scope, params)
            api = documents.require(params["ApiId"])
            if not is_http(api.body):
                raise bad_request("Only HTTP APIs can be exported")
            if stage is None:
                return [(it.kind, it.id, it.body) for it in tx.documents.all_of(api.root)]
            shown = self.resources.collection(tx, "stage", scope, params).require(stage)
            deployment = tx.documents.get(
                api.root, "deployment", shown.body.get("DeploymentId", "")
            )
            if deployment is None:
                raise bad_request(f"The stage {stage} has no deployment")
            return [(kind, id, body) for kind, id, body in deployment.body[SNAPSHOT]]

        snapshot = await self._store.read(run)
        server = endpoint if stage in (None, "$default") else f"{endpoint}/{stage}"
        with_extensions = params.get("IncludeExtensions", True)

        def compute() -> bytes:
            document = exporting.export(snapshot, server=server, with_extensions=with_extensions)
            return exporting.write(document, params["OutputType"])

        return await computed(compute)

    async def _plan(self, params: Params) -> tuple[Any, Body]:
        document = await read_document(params["Body"])
        base_path = params.get("Basepath", "ignore")
        if len(params["Body"]) > LOOP_BYTES_MAX:
            plan = await computed(make_plan, document, base_path)
        else:
            plan = make_plan(document, base_path)
        if plan.ignored and params.get("FailOnWarnings"):
            raise bad_request(f"Warnings found during import: {'; '.join(plan.ignored)}")
        return plan, {"ImportInfo": list(plan.ignored)} if plan.ignored else {}

    # -- deployments and stages ----------------------------------------------------------------

    async def create_deployment(self, scope: Scope, params: Params) -> Params:
        """CreateDeployment: with `StageName`, the stage moves to it."""
        now = self._now()

        def run(tx: Transaction) -> Params:
            documents = self.resources.collection(tx, "deployment", scope, params)
            tx.locks.root(documents.root)
            documents.require_parents()
            name, stage = params.get("StageName"), None
            if name is not None:
                stage = self.resources.collection(tx, "stage", scope, params).require(name)
                if stage.body.get("AutoDeploy"):
                    raise bad_request("Cannot deploy to a stage that deploys automatically")
            description = params.get("Description", "")
            token = params.get(TOKEN_TAG, "")
            made = deploy(tx, documents.root, now, description=description, token=token)
            if stage is not None:
                assign(tx, stage, made.id, now)
            return documents.kind.shown(made)

        return await self._store.transact(run)

    async def update_deployment(self, scope: Scope, params: Params) -> Params:
        """UpdateDeployment: its description."""
        return await self.resources.update("deployment")(scope, params)

    async def create_stage(self, scope: Scope, params: Params) -> Params:
        """CreateStage."""
        now = self._now()
        dates = {"CreatedDate": now, "LastUpdatedDate": now}
        return await self.resources.create("stage")(scope, {**params, **dates})

    async def update_stage(self, scope: Scope, params: Params) -> Params:
        """UpdateStage."""
        dated = {**params, "LastUpdatedDate": self._now()}
        return await self.resources.update("stage")(scope, dated)

    async def delete_access_logs(self, scope: Scope, params: Params) -> Params:
        """DeleteAccessLogSettings."""
        return await self._edit(
            "stage", scope, params, lambda body: _without(body, "AccessLogSettings")
        )

    async def delete_route_settings(self, scope: Scope, params: Params) -> Params:
        """DeleteRouteSettings."""

        def change(api: WholeApi) -> Params:
            api.without_route_settings(params["StageName"], params["RouteKey"])
            return {}

        return await self._on_api(scope, params, change)

    async def reset_authorizers_cache(self, scope: Scope, params: Params) -> Params:
        """ResetAuthorizersCache: what serves requests forgets the results of authorizers."""

        def edit(body: Body) -> Body:
            return {**body, CACHE_REVISION: body.get(CACHE_REVISION, 0) + 1}

        return await self._edit("stage", scope, params, edit)

    # -- routes and models ---------------------------------------------------------------------

    async def delete_request_parameter(self, scope: Scope, params: Params) -> Params:
        """DeleteRouteRequestParameter."""
        key = params["RequestParameterKey"]

        def edit(body: Body) -> Body:
            parameters = body.get("RequestParameters") or {}
            if key not in parameters:
                raise not_found(f"Unable to find request parameter {key[:200]}")
            rest = {name: value for name, value in parameters.items() if name != key}
            return {**body, "RequestParameters": rest}

        return await self._edit("route", scope, params, edit)

    async def get_model_template(self, scope: Scope, params: Params) -> Params:
        """GetModelTemplate."""
        model = await self.resources.get("model")(scope, params)
        return {"Value": model_template(model["Schema"])}

    # -- within one transaction ----------------------------------------------------------------

    async def _edit(
        self, kind: str, scope: Scope, params: Params, edit: Callable[[Body], Body]
    ) -> Params:
        """Replace the body of a document by another."""

        def run(tx: Transaction) -> Params:
            documents = self.resources.collection(tx, kind, scope, params)
            tx.locks.root(documents.root)
            id = params[KINDS[kind].path[-1]]
            documents.replace(id, edit(documents.require(id).body))
            self._changed(tx, documents.root)
            return {}

        return await self._store.transact(run)

    async def _on_api(
        self, scope: Scope, params: Params, change: Callable[[WholeApi], Params]
    ) -> Params:
        def run(tx: Transaction) -> Params:
            root = Root(SERVICE, *scope, params["ApiId"])
            tx.locks.root(root)
            output = change(WholeApi(tx, KINDS, root))
            self._changed(tx, root)
            return output

        return await self._store.transact(run)

    def _changed(self, tx: Transaction, root: Root) -> None:
        deploy_automatically(tx, root, self._now())

    def _now(self) -> int:
        return int(self._clock.now())


def _without(body: Body, member: str) -> Body:
    return {name: value for name, value in body.items() if name != member}
