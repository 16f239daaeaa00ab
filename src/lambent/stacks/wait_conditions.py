"""Wait conditions: a stack waits until something outside of it has reported to a link."""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from lambent.kit import strict_json
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.model.stack_documents import SERVICE
from lambent.stacks.custom_resources import Link, Responses
from lambent.stacks.plan import has_unknown
from lambent.stacks.resources.resource_type import Made, Properties, Step
from lambent.stacks.sources import invalid

_TIMEOUT_S_MAX: Final = 43_200
_COUNT_MAX: Final = 100


class _Wait:
    """What both types have in common. See `ResourceType`."""

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        return frozenset()

    def custom_name(self, properties: Properties) -> str | None:
        return None

    async def find(self, step: Step, properties: Properties) -> Made | None:
        return None

    async def update(self, step: Step, made: Made, old: Properties, new: Properties) -> Made:
        return made  # As in AWS: a condition that was met stays met.

    async def delete(self, step: Step, made: Made, properties: Properties) -> None:
        return

    async def read(self, step: Step, made: Made, properties: Properties) -> Made | None:
        return made


class WaitConditionHandleType(_Wait):
    """`AWS::CloudFormation::WaitConditionHandle`: `Ref` is the link."""

    name = "AWS::CloudFormation::WaitConditionHandle"

    def __init__(self, responses: Responses, link: Link) -> None:
        self._responses = responses
        self._link = link

    def check(self, properties: Properties) -> None:
        if properties:
            raise invalid(f"Encountered unsupported property {sorted(properties)[0]}")

    async def create(self, step: Step, properties: Properties) -> Made:
        scope = step.caller.scope
        root = Root(SERVICE, *scope, step.stack_id.rpartition("/")[2])
        await self._responses.open(root, step.token, signals_max=_COUNT_MAX)
        key = f"{step.stack_id}|{step.logical_id}|{step.token}"
        return Made(self._link(scope.region, key), {})


class WaitConditionType(_Wait):
    """`AWS::CloudFormation::WaitCondition`."""

    name = "AWS::CloudFormation::WaitCondition"
    deadline_s = _TIMEOUT_S_MAX + 600.0

    def __init__(self, responses: Responses) -> None:
        self._responses = responses

    def check(self, properties: Properties) -> None:
        for name in properties:
            if name not in ("Count", "Handle", "Timeout"):
                raise invalid(f"Encountered unsupported property {name}")
        for name, maximum in (("Count", _COUNT_MAX), ("Timeout", _TIMEOUT_S_MAX)):
            value = properties.get(name, 1)
            if not has_unknown(value) and not 0 < _number(value) <= maximum:
                raise invalid(f"{name} of a wait condition must be a number from 1 to {maximum}.")
        if "Handle" not in properties or "Timeout" not in properties:
            raise invalid("Lambent's wait conditions need a Handle and a Timeout.")

    async def create(self, step: Step, properties: Properties) -> Made:
        arn, _, rest = unquote(urlsplit(str(properties["Handle"])).path)[1:].partition("|")
        root = Root(SERVICE, *step.caller.scope, arn.rpartition("/")[2])
        count = _number(properties.get("Count", 1))

        def is_enough(documents: Sequence[str | None]) -> bool:
            signals = _signals(documents)
            has_failed = any(signal["Status"] != "SUCCESS" for signal in signals.values())
            return has_failed or len(signals) >= count

        found = await self._responses.wait(
            root, rest.rpartition("|")[2], is_enough, _number(properties["Timeout"])
        )
        if found is None:
            raise ApiError(
                "",
                f"WaitCondition timed out. Received 0 conditions when expecting {count}"
                if count == 1
                else f"WaitCondition timed out. Expecting {count} conditions",
            )
        signals = _signals(found)
        for signal in signals.values():
            if signal["Status"] != "SUCCESS":
                reason = signal.get("Reason", "")
                raise ApiError("", f"WaitCondition received failed message: '{reason}'")
        data = {id: str(signal.get("Data", "")) for id, signal in signals.items()}
        return Made(step.name, {"Data": json.dumps(data)})


def _signals(documents: Sequence[str | None]) -> dict[str, dict[str, Any]]:
    """Signals by UniqueId; what is no signal does not count."""
    found = {}
    for document in documents:
        try:
            signal = strict_json.parse_loosely(document or "")
        except ValueError:
            continue
        if isinstance(signal, dict) and isinstance(signal.get("Status"), str):
            found[str(signal.get("UniqueId", ""))] = signal
    return found


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
