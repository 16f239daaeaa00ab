"""Tags of functions, code signing configurations and event source mappings. Tags belong to the
resource as a whole, never to a version."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.configuration import require_text
from lambent.control.lookup import require_function
from lambent.control.states import require_no_update, revised
from lambent.model import limits
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.function import FunctionKey
from lambent.model.names import parse_function_name
from lambent.model.resources import parse_code_signing_arn, parse_mapping_arn, parse_tagged
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]


class Tags:
    """Use cases of tags."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, scope: Scope, params: Params) -> Params:
        """TagResource: add tags, or replace the values of existing ones."""
        added: Mapping[str, str] = params["Tags"]
        if not added:
            raise invalid_parameter("An error occurred and the request cannot be processed.")
        check_tags(added)

        def run(tx: Transaction) -> None:
            arn = _require_resource(tx, scope, params["Resource"], operation="TagResource")
            tags = {**tx.tags.get(arn), **added}
            if len(tags) > limits.TAGS_MAX:
                raise invalid_parameter("Number of tags exceeds resource tag limit.")
            tx.tags.replace(arn, tags)

        await self._store.transact(run)
        return {}

    async def remove(self, scope: Scope, params: Params) -> Params:
        """UntagResource: remove the tags with these keys; missing keys are ignored."""
        names: Sequence[str] = params["TagKeys"]

        def run(tx: Transaction) -> None:
            arn = _require_resource(tx, scope, params["Resource"], operation="UntagResource")
            tags = tx.tags.get(arn)
            tx.tags.replace(arn, {name: value for name, value in tags.items() if name not in names})

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListTags."""

        def run(tx: Transaction) -> Params:
            arn = _require_resource(tx, scope, params["Resource"], operation="ListTags")
            return {"Tags": tx.tags.get(arn)}

        return await self._store.read(run)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises `InvalidParameterValueException` or `ValidationException` for invalid tags."""
    if len(tags) > limits.TAGS_MAX:
        raise invalid_parameter("Number of tags exceeds resource tag limit.")
    for name, value in tags.items():
        require_text(name, "tags")
        require_text(value, "tags")
        if not 1 <= len(name) <= limits.TAG_KEY_LENGTH_MAX:
            raise _too_long("Map keys", limits.TAG_KEY_LENGTH_MAX)
        if len(value) > limits.TAG_VALUE_LENGTH_MAX:
            raise _too_long("Map values", limits.TAG_VALUE_LENGTH_MAX)
        if name.lower().startswith("aws:"):
            raise invalid_parameter(
                f"cannot use the tag key {name}: keys that start with aws: are reserved."
            )


def _too_long(member: str, maximum: int) -> ApiError:
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value at 'tags' failed to satisfy constraint: {member} must"
        f" satisfy constraint: [Member must have length less than or equal to {maximum}, Member"
        " must have length greater than or equal to 1]",
    )


def _require_resource(tx: Transaction, scope: Scope, arn: str, *, operation: str) -> str:
    """The ARN under which a resource's tags are stored. The resource must exist; a function whose
    tags are changed gets a new revision id. Raises `ApiError`."""
    arn = parse_tagged(arn, scope)
    if operation != "ListTags":
        tx.locks.scope(scope)
    mapping, config = parse_mapping_arn(arn), parse_code_signing_arn(arn)
    if mapping is not None:
        if mapping.scope != scope or tx.mappings.get(scope, mapping.uuid) is None:
            raise not_found(f"Event source mapping not found: {arn}")
    elif config is None:
        _require_function(tx, parse_function_name(arn, scope).key, operation=operation)
    elif config.scope != scope or tx.code_signing.get(scope, config.id) is None:
        raise not_found(f"Resource not found: {arn}")
    return arn


def _require_function(tx: Transaction, key: FunctionKey, *, operation: str) -> None:
    if operation != "ListTags":
        tx.locks.function(key)
    latest = require_function(tx, key)
    if operation == "TagResource":
        require_no_update(latest)
    if operation != "ListTags":
        tx.functions.revise(revised(latest))
