"""Resources that a request refers to, which must exist."""

from lambent.model.errors import invalid_parameter, not_found
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.model.names import FunctionReference, version_number
from lambent.store.store import Transaction


def require_function(tx: Transaction, key: FunctionKey) -> FunctionVersion:
    """The function's `$LATEST`. Raises `ResourceNotFoundException`."""
    latest = tx.functions.get(key)
    if latest is None:
        raise not_found(f"Function not found: {key.arn}")
    return latest


def find_version(
    tx: Transaction, key: FunctionKey, qualifier: str | None
) -> FunctionVersion | None:
    """The version that a qualifier refers to, through an alias too; None if there is none."""
    if qualifier is None or version_number(qualifier) is not None:
        return tx.functions.get(key, qualifier or LATEST)
    alias = tx.aliases.get(key, qualifier)
    return None if alias is None else tx.functions.get(key, alias.version)


def require_version(tx: Transaction, reference: FunctionReference) -> FunctionVersion:
    """The version that a reference refers to, through an alias too. Raises
    `ResourceNotFoundException`."""
    version = find_version(tx, reference.key, reference.qualifier)
    if version is None:
        raise not_found(f"Function not found: {reference.arn}")
    return version


def require_qualified(tx: Transaction, reference: FunctionReference) -> FunctionVersion:
    """As `require_version`; the error for a missing alias is different, as in AWS."""
    key, qualifier = reference.key, reference.qualifier
    is_alias = qualifier is not None and version_number(qualifier) is None
    if is_alias and tx.aliases.get(key, qualifier or "") is None:
        require_function(tx, key)
        raise not_found(f"Cannot find alias arn: {reference.arn}")
    return require_version(tx, reference)


def require_published(tx: Transaction, reference: FunctionReference) -> str:
    """The qualifier of a reference to an alias or a published version, which must exist.

    Raises `InvalidParameterValueException` for `$LATEST` or no qualifier, and
    `ResourceNotFoundException`.
    """
    if reference.qualifier in (None, LATEST):
        raise invalid_parameter(
            "The function resource provided must be an alias or a published version."
        )
    require_qualified(tx, reference)
    assert reference.qualifier is not None
    return reference.qualifier
