"""The account: its quotas, and how much of them it uses."""

import dataclasses

from lambent.control.concurrency import reserved_total
from lambent.model import limits
from lambent.model.arn import Scope
from lambent.store.store import Store, Transaction


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What GetAccountSettings shows; sizes in bytes."""

    total_code_size_max: int
    code_size_unzipped_max: int = limits.CODE_SIZE_UNZIPPED_MAX
    code_size_zipped_max: int = limits.CODE_SIZE_ZIPPED_MAX
    concurrent_executions: int
    unreserved_concurrent_executions: int
    total_code_size: int
    function_count: int


class Account:
    """Use cases of the account."""

    def __init__(self, store: Store, *, code_size_max: int, concurrent_executions: int) -> None:
        self._store = store
        self._code_size_max = code_size_max
        self._concurrent_executions = concurrent_executions

    async def get_settings(self, scope: Scope) -> AccountSettings:
        """GetAccountSettings: quotas and usage in one region."""

        def run(tx: Transaction) -> AccountSettings:
            return AccountSettings(
                total_code_size_max=self._code_size_max,
                concurrent_executions=self._concurrent_executions,
                unreserved_concurrent_executions=self._concurrent_executions
                - reserved_total(tx, scope),
                total_code_size=tx.code_size_total(scope),
                function_count=tx.functions.count(scope),
            )

        return await self._store.read(run)
