"""How much an account may keep."""

from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, Scope
from lambent.store.store import Transaction


def require_storage(tx: Transaction, key: FunctionKey, added: int, *, maximum: int) -> None:
    """Raises `CodeStorageExceededException` if `added` more bytes of packages are too many."""
    if tx.functions.code_size_total(Scope(key.account, key.region)) + added > maximum:
        raise ApiError("CodeStorageExceededException", "Code storage limit exceeded.")
