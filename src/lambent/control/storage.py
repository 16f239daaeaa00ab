"""The code storage quota of an account."""

from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.store.store import Transaction


def require_storage(tx: Transaction, scope: Scope, added: int, *, maximum: int) -> None:
    """Raises `CodeStorageExceededException` if `added` more bytes of packages exceed the quota."""
    if tx.code_size_total(scope) + added > maximum:
        raise ApiError("CodeStorageExceededException", "Code storage limit exceeded.")
