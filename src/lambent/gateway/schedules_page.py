"""`GET /_lambent/schedules`: when the rules and schedules of the caller's account and Region are
due next."""

from lambent.control.schedules.upcoming import UpcomingTimes
from lambent.gateway.pages import check_method, respond
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.http.messages import Exchange

PATH = "/_lambent/schedules"


class SchedulesPage:
    """See the module. Callers need `lambent:ListSchedules`."""

    def __init__(self, authorizer: Authorizer, upcoming: UpcomingTimes) -> None:
        self._authorizer = authorizer
        self._upcoming = upcoming

    async def show(self, exchange: Exchange, caller: Caller) -> None:
        """Respond with the next times, in epoch seconds."""
        check_method(exchange, "GET")
        access = Access("lambent:ListSchedules", "*", caller.scope.account)
        await self._authorizer.check(caller, access)
        found = await self._upcoming.list(caller.scope)
        schedules = [{"arn": arn, "next": times} for arn, times in found.items()]
        respond(exchange, {"schedules": schedules})
