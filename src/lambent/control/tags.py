"""Tags of functions. They belong to the function as a whole, never to a version."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.configuration import require_text
from lambent.control.states import require_no_update, revised
from lambent.model import limits
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.function import FunctionKey, FunctionVersion, Scope
from lambent.model.names import parse_function_name
from lambent.store.store import Store, Transaction


class Tags:
    """Use cases of tags."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, scope: Scope, params: Mapping[str, Any]) -> None:
        """TagResource: add tags, or replace the values of those that are there."""
        key = _function_of(params["Resource"], scope, operation="TagResource")
        added: Mapping[str, str] = params["Tags"]
        if not added:
            raise invalid_parameter("An error occurred and the request cannot be processed.")
        check_tags(added)

        def run(tx: Transaction) -> None:
            latest = _require_latest(tx, key)
            require_no_update(latest)
            tags = {**tx.tags.get(key.arn), **added}
            if len(tags) > limits.TAGS_MAX:
                raise invalid_parameter("Number of tags exceeds resource tag limit.")
            tx.tags.replace(key.arn, tags)
            tx.functions.revise(revised(latest))

        await self._store.transact(run)

    async def remove(self, scope: Scope, params: Mapping[str, Any]) -> None:
        """UntagResource: remove the tags with these keys, as far as there are any."""
        key = _function_of(params["Resource"], scope, operation="UntagResource")
        names: Sequence[str] = params["TagKeys"]

        def run(tx: Transaction) -> None:
            latest = _require_latest(tx, key)
            tags = tx.tags.get(key.arn)
            tx.tags.replace(
                key.arn, {name: value for name, value in tags.items() if name not in names}
            )
            tx.functions.revise(revised(latest))

        await self._store.transact(run)

    async def list(self, scope: Scope, params: Mapping[str, Any]) -> Mapping[str, str]:
        """ListTags."""
        key = _function_of(params["Resource"], scope, operation="ListTags")

        def run(tx: Transaction) -> Mapping[str, str]:
            _require_latest(tx, key)
            return tx.tags.get(key.arn)

        return await self._store.transact(run)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises `InvalidParameterValueException` or `ValidationException` for tags that a resource
    cannot have."""
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


def _too_long(what: str, maximum: int) -> ApiError:
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value at 'tags' failed to satisfy constraint: {what} must"
        f" satisfy constraint: [Member must have length less than or equal to {maximum}, Member"
        " must have length greater than or equal to 1]",
    )


def _function_of(arn: str, scope: Scope, *, operation: str) -> FunctionKey:
    if ":function:" not in arn:
        # Code signing configurations, mappings and capacity providers have tags as well, but
        # there are none of them.
        raise not_found(f"Resource not found: {arn}")
    reference = parse_function_name(arn, scope, operation=operation)
    if reference.qualifier:
        raise invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function"
            " ARN."
        )
    return reference.key


def _require_latest(tx: Transaction, key: FunctionKey) -> FunctionVersion:
    latest = tx.functions.get(key)
    if latest is None:
        raise not_found(f"Function not found: {key.arn}")
    return latest
