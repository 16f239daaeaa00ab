"""How much of its account's concurrency a function has for itself."""

import dataclasses
from collections.abc import Mapping

from lambent.model.errors import ApiError
from lambent.model.function import FunctionVersion
from lambent.model.invocation import Refusal, Refused


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """One provisioned concurrency configuration, resolved to the versions it leads to."""

    qualifier: str
    """The alias or the version it was put on."""
    shares: tuple[tuple[FunctionVersion, int], ...]
    """Versions, and how many environments of each are to be initialised ahead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reservation:
    """What is set aside for one function."""

    reserved: int | None = None
    """Most invocations of all its versions at once, which no other function can take; None without
    a reservation."""
    claims: tuple[Claim, ...] = ()
    """By qualifier."""

    def provisioned(self) -> Mapping[str, tuple[FunctionVersion, int]]:
        """What all claims together want of each version, by `configuration_id`."""
        found: dict[str, tuple[FunctionVersion, int]] = {}
        for claim in self.claims:
            for function, number in claim.shares:
                _, before = found.get(function.configuration_id, (function, 0))
                found[function.configuration_id] = function, before + number
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class ProvisionedState:
    """What became of a claim, or of one version's part of it."""

    ready: int
    """Environments that have been initialised."""
    failure: str | None = None
    """Why environments repeatedly could not be initialised, if that is so."""


def throttled(
    limit: str = "ConcurrentInvocationLimitExceeded",
    message: str = "Rate Exceeded.",
    *,
    reason: Refusal = Refusal.THROTTLED,
) -> Refused:
    """429 `TooManyRequestsException`; `limit` is AWS's name for the limit that was reached.
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
    """
    error = ApiError("TooManyRequestsException", message, status=429, members={"Reason": limit})
    return Refused(error, reason)


def no_capacity() -> Refused:
    """The same for a call for which this node has no room."""
    return throttled(reason=Refusal.NO_CAPACITY)
