"""Operations on the account."""

from lambent.gateway.call import Call, Members
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.gateway.services.lambda_.views import account_settings


async def get_account_settings(rooms: LambdaRooms, call: Call) -> Members:
    """GetAccountSettings."""
    return account_settings(await rooms.control.account.get_settings(call.scope))


OPERATIONS = {"GetAccountSettings": get_account_settings}
