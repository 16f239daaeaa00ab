"""The kinds of documents that REST APIs consist of, and what their update operations may change.

`tests/unit/control/apis/v1` drives each of them.
"""

from collections.abc import Callable, Mapping, Sequence

from lambent.control.apis import domain_names
from lambent.control.apis.errors import bad_request, conflict, not_found
from lambent.control.apis.kinds import Draft, Kind, Place, Reference, by_name
from lambent.control.apis.v1 import limits, patch_tables
from lambent.control.apis.v1.errors import limit_exceeded
from lambent.control.apis.v1.patches import PatchTable
from lambent.control.apis.v1.rules import apis, authorizers, models, stages
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.control.apis.v1.rules.documentation import check_part
from lambent.control.apis.v1.rules.keys import check_key, check_plan
from lambent.control.apis.v1.rules.methods import NO_AUTHORIZER, check_method
from lambent.control.apis.v1.rules.resources import check_resource
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Transaction

SERVICE = "apigateway"
SNAPSHOT = "snapshot"
"""The member of a deployment's body that no operation shows."""

Missing = Callable[[Root, str], ApiError]


def _invalid(noun: str) -> Missing:
    """AWS's usual error for an id that leads nowhere."""
    return lambda root, id: not_found(f"Invalid {noun} identifier specified")


def _invalid_api(root: Root, id: str) -> ApiError:
    return not_found(f"Invalid API identifier specified {root.account}:{id}")


def _full(what: str) -> Callable[[int], ApiError]:
    def error(count: int) -> ApiError:
        return limit_exceeded(
            f"Maximum number of {what} has been reached. Please contact AWS if you need additional"
            f" {what.partition(' ')[0]}."
        )

    return error


def _taken(text: str) -> Callable[[str, str], ApiError]:
    return lambda id, value: conflict(text.replace("{value}", value[:200]))


def _in_use(what: str) -> Callable[[str, Sequence[str]], ApiError]:
    def error(id: str, users: Sequence[str]) -> ApiError:
        return conflict(f"Cannot delete {what} '{id}', is referenced in method: {users[0]}")

    return error


def _check_unmapped(tx: Transaction, api: Document) -> None:
    if domain_names.mappings_of(tx, api.root.scope, api.id):
        raise bad_request(
            "Please remove all base path mappings related to the API in your account and try again."
        )


def _pruned(draft: Draft) -> Body:
    """The check of kinds without rules of their own."""
    return without_unset(draft.body)


def _named_validator(draft: Draft) -> Body:
    return {
        "validateRequestBody": False,
        "validateRequestParameters": False,
        **without_unset(draft.body),
    }


_KINDS = by_name(
    Kind(
        name="api",
        noun="API",
        path=("restApiId",),
        place=Place.ROOT,
        shown_id="id",
        defaults=apis.DEFAULTS,
        missing=_invalid_api,
        check=apis.check_api,
        check_delete=_check_unmapped,
    ),
    Kind(
        name="resource",
        noun="Resource",
        path=("restApiId", "resourceId"),
        shown_id="id",
        id_length=6,
        missing=_invalid("Resource"),
        count_max=limits.RESOURCES_MAX,
        full=_full("resources for this API"),
        check=check_resource,
    ),
    Kind(
        name="method",
        noun="Method",
        path=("restApiId", "resourceId", "httpMethod"),
        parent="resource",
        defaults={"apiKeyRequired": False},
        missing=_invalid("Method"),
        taken=_taken("Method already exists for this resource"),
        check=check_method,
        references=(
            Reference(
                "authorizerId",
                "authorizer",
                lambda id: bad_request(NO_AUTHORIZER),
                _in_use("authorizer"),
            ),
            Reference(
                "requestValidatorId",
                "request_validator",
                lambda id: bad_request("Invalid Request Validator identifier specified"),
                _in_use("request validator"),
            ),
        ),
    ),
    Kind(
        name="model",
        noun="Model",
        path=("restApiId", "modelName"),
        shown_id="name",
        missing=lambda root, id: not_found(f"Invalid model name specified: {id}"),
        taken=_taken("Model name already exists for this REST API"),
        count_max=limits.MODELS_MAX,
        full=_full("models for this API"),
        check=models.check_model,
        check_delete=models.check_unused,
    ),
    Kind(
        name="request_validator",
        noun="Request Validator",
        path=("restApiId", "requestValidatorId"),
        shown_id="id",
        id_length=6,
        missing=_invalid("Request Validator"),
        count_max=limits.VALIDATORS_MAX,
        full=_full("request validators for this API"),
        check=_named_validator,
    ),
    Kind(
        name="authorizer",
        noun="Authorizer",
        path=("restApiId", "authorizerId"),
        shown_id="id",
        id_length=6,
        unique="name",
        missing=_invalid("Authorizer"),
        taken=_taken(
            "Authorizer name must be unique. Authorizer {value} already exists in this RestApi."
        ),
        count_max=limits.AUTHORIZERS_MAX,
        full=_full("authorizers for this API"),
        check=authorizers.check_authorizer,
    ),
    Kind(
        name="gateway_response",
        noun="Gateway response",
        path=("restApiId", "responseType"),
        missing=lambda root, id: not_found("Gateway response type not defined on api"),
    ),
    Kind(
        name="deployment",
        noun="Deployment",
        path=("restApiId", "deploymentId"),
        shown_id="id",
        id_length=6,
        missing=_invalid("Deployment"),
        count_max=limits.DEPLOYMENTS_MAX,
        full=_full("deployments for this API"),
        check=_pruned,
        check_delete=stages.check_unused,
        hidden=frozenset({SNAPSHOT}),
    ),
    Kind(
        name="stage",
        noun="Stage",
        path=("restApiId", "stageName"),
        defaults=stages.DEFAULTS,
        missing=_invalid("stage"),
        taken=_taken("Stage already exists"),
        count_max=limits.STAGES_MAX,
        full=_full("stages for this API"),
        check=stages.check_stage,
        check_delete=domain_names.check_stage_is_unmapped,
        references=(
            Reference(
                "deploymentId",
                "deployment",
                lambda id: bad_request("Deployment id does not exist"),
                None,
            ),
        ),
    ),
    Kind(
        name="documentation_part",
        noun="Documentation part",
        path=("restApiId", "documentationPartId"),
        shown_id="id",
        id_length=6,
        missing=_invalid("Documentation part"),
        count_max=limits.DOCUMENTATION_PARTS_MAX,
        full=_full("documentation parts for this API"),
        check=check_part,
    ),
    Kind(
        name="documentation_version",
        noun="Documentation version",
        path=("restApiId", "documentationVersion"),
        shown_id="version",
        missing=_invalid("Documentation version"),
        taken=_taken("A documentation version with this name already exists: {value}"),
        count_max=limits.DOCUMENTATION_VERSIONS_MAX,
        full=_full("documentation versions for this API"),
        check=_pruned,
    ),
    Kind(
        name="api_key",
        noun="API Key",
        path=("apiKey",),
        place=Place.ACCOUNT,
        shown_id="id",
        id_length=10,
        defaults={"enabled": False},
        missing=_invalid("API Key"),
        count_max=limits.API_KEYS_MAX,
        full=_full("API keys"),
        check=check_key,
    ),
    Kind(
        name="usage_plan",
        noun="Usage Plan",
        path=("usagePlanId",),
        place=Place.ACCOUNT,
        shown_id="id",
        id_length=6,
        missing=lambda root, id: not_found("Invalid Usage Plan ID specified"),
        count_max=limits.USAGE_PLANS_MAX,
        full=_full("usage plans"),
        check=check_plan,
    ),
    Kind(
        name="usage_plan_key",
        noun="Usage Plan Key",
        path=("usagePlanId", "keyId"),
        place=Place.ACCOUNT,
        parent="usage_plan",
        shown_id="id",
        missing=lambda root, id: not_found("Invalid Usage Plan Key ID specified"),
        taken=_taken("API Key is already part of this Usage Plan"),
    ),
)

KINDS: Mapping[str, Kind] = {**_KINDS, **domain_names.KINDS}
"""All kinds, with those that both models of API Gateway have."""
PATCHES: Mapping[str, PatchTable] = {
    "api": patch_tables.REST_API,
    "resource": patch_tables.RESOURCE,
    "method": patch_tables.METHOD,
    "model": patch_tables.MODEL,
    "request_validator": patch_tables.REQUEST_VALIDATOR,
    "authorizer": patch_tables.AUTHORIZER,
    "gateway_response": patch_tables.GATEWAY_RESPONSE,
    "deployment": patch_tables.DEPLOYMENT,
    "documentation_part": patch_tables.DOCUMENTATION_PART,
    "documentation_version": patch_tables.DOCUMENTATION_VERSION,
    "api_key": patch_tables.API_KEY,
    "usage_plan": patch_tables.USAGE_PLAN,
}
"""What may be changed, by kind."""
