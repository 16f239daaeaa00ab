"""Operations on the account."""

from collections.abc import Mapping
from typing import Any

from lambent.control.room import Control
from lambent.gateway.call import Call, OperationHandler
from lambent.gateway.views import account_settings

Answer = Mapping[str, Any]


def operations(control: Control) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name."""

    async def get_account_settings(call: Call) -> Answer:
        return account_settings(await control.account.get_settings(call.scope))

    return {"GetAccountSettings": get_account_settings}
