"""Security Token Service: who am I?"""

from collections.abc import Mapping
from typing import Any

from lambent.gateway.call import Call, OperationHandler


def operations() -> Mapping[str, OperationHandler]:
    """The operations of this module, by name."""
    return {"GetCallerIdentity": _get_caller_identity}


async def _get_caller_identity(call: Call) -> Mapping[str, Any]:
    account = call.scope.account
    return {"Account": account, "UserId": account, "Arn": f"arn:aws:iam::{account}:root"}
