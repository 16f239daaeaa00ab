"""The account: its quotas and what it uses of them."""

import dataclasses

from lambent.control.settings import ControlSettings
from lambent.model import limits
from lambent.model.function import Scope
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

    def __init__(self, store: Store, settings: ControlSettings) -> None:
        self._store = store
        self._settings = settings

    async def get_settings(self, scope: Scope) -> AccountSettings:
        """GetAccountSettings: quotas and usage in one region."""
        concurrency = self._settings.concurrent_executions

        def run(tx: Transaction) -> AccountSettings:
            return AccountSettings(
                total_code_size_max=self._settings.total_code_size_bytes,
                concurrent_executions=concurrency,
                # Nothing can be reserved yet, so all of it is unreserved.
                unreserved_concurrent_executions=concurrency,
                total_code_size=tx.functions.code_size_total(scope),
                function_count=tx.functions.count(scope),
            )

        return await self._store.transact(run)
