"""Names and ARNs of buses and rules, and errors about them."""

import uuid
from typing import NamedTuple

from lambent.model.arn import Arn, Scope
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.model.schedules.documents import RULES

SERVICE = RULES
DEFAULT = "default"
BUS, RULE, CONNECTION, DESTINATION = "bus", "rule", "connection", "api-destination"
"""Kinds of documents."""
CONNECTIONS, DESTINATIONS = "/connections", "/api-destinations"
"""Ids of their roots; no bus is called so."""
_BUS_PREFIX, _RULE_PREFIX = "event-bus/", "rule/"
BUS_NAME_MAX = 128
"""Characters, as the database stores a root. AWS allows 256."""


def root_of(scope: Scope, bus: str) -> Root:
    """The root of a bus, by its name."""
    return Root(SERVICE, *scope, bus)


def bus_arn(scope: Scope, bus: str) -> str:
    """The ARN of a bus."""
    return f"arn:aws:events:{scope.region}:{scope.account}:{_BUS_PREFIX}{bus}"


def rule_arn(scope: Scope, bus: str, rule: str) -> str:
    """The ARN of a rule."""
    path = rule if bus == DEFAULT else f"{bus}/{rule}"
    return f"arn:aws:events:{scope.region}:{scope.account}:{_RULE_PREFIX}{path}"


def connection_arn(scope: Scope, name: str) -> str:
    """The ARN of a connection. Its last part follows from the rest."""
    return _with_id(f"arn:aws:events:{scope.region}:{scope.account}:connection/{name}")


def destination_arn(scope: Scope, name: str) -> str:
    """The ARN of an API destination. Its last part follows from the rest."""
    return _with_id(f"arn:aws:events:{scope.region}:{scope.account}:api-destination/{name}")


def _with_id(arn: str) -> str:
    return f"{arn}/{uuid.uuid5(uuid.NAMESPACE_URL, arn)}"


class BusName(NamedTuple):
    """A bus, of this account or of another."""

    scope: Scope
    name: str

    @property
    def root(self) -> Root:
        """The root of its documents."""
        return root_of(self.scope, self.name)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return bus_arn(self.scope, self.name)


def find_bus(scope: Scope, given: str | None) -> BusName:
    """The bus that a request in `scope` names, by name or ARN; `default` if it names none. Raises
    `ValidationException` for an ARN of something else."""
    if not given:
        return BusName(scope, DEFAULT)
    if not given.startswith("arn:"):
        return BusName(scope, given)
    arn = Arn.try_parse(given)
    if arn is None or arn.service != SERVICE or not arn.resource.startswith(_BUS_PREFIX):
        raise invalid("EventBusName", "Provided Arn is not in correct format.")
    return BusName(arn.scope, arn.resource.removeprefix(_BUS_PREFIX))


def own_bus(scope: Scope, given: str | None) -> BusName:
    """As `find_bus`, where only buses of the caller's account and Region can be named."""
    bus = find_bus(scope, given)
    if bus.scope != scope:
        raise invalid("EventBusName", "The event bus belongs to another account or Region.")
    return bus


class Named(NamedTuple):
    """What an ARN of EventBridge names: a bus, or a rule of it."""

    bus: BusName
    rule: str | None


def parse_events_arn(text: str) -> Named | None:
    """The bus or rule with an ARN; None if it is none of them."""
    arn = Arn.try_parse(text)
    if arn is None or (arn.partition, arn.service) != ("aws", SERVICE):
        return None
    if arn.resource.startswith(_BUS_PREFIX):
        return Named(BusName(arn.scope, arn.resource.removeprefix(_BUS_PREFIX)), None)
    if arn.resource.startswith(_RULE_PREFIX):
        bus, _, rule = arn.resource.removeprefix(_RULE_PREFIX).rpartition("/")
        return Named(BusName(arn.scope, bus or DEFAULT), rule)
    return None


def invalid(parameter: str, reason: str) -> ApiError:
    """400 `ValidationException` about a parameter."""
    return ApiError("ValidationException", f"Parameter {parameter} is not valid. Reason: {reason}")


def validation(message: str) -> ApiError:
    """400 `ValidationException`."""
    return ApiError("ValidationException", message)


def bus_missing(name: str) -> ApiError:
    """400 `ResourceNotFoundException`."""
    return ApiError("ResourceNotFoundException", f"Event bus {name} does not exist.")


def rule_missing(rule: str, bus: str) -> ApiError:
    """400 `ResourceNotFoundException`."""
    return ApiError("ResourceNotFoundException", f"Rule {rule} does not exist on EventBus {bus}.")


def too_many(what: str, count: int) -> ApiError:
    """400 `LimitExceededException`."""
    return ApiError("LimitExceededException", f"There can be at most {count} {what}.")
