"""Wait conditions: a stack waits until something outside of it has reported to a link."""

import json
import re
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
SIGNALS_MAX: Final = 100
_TYPE: Final = "AWS::CloudFormation::WaitCondition"
_SIGNAL: Final = ("Count", "Timeout")
_DURATION: Final = re.compile(r"PT(?=\d)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?", re.ASCII)


class _Wait:
    """What both types have in common. See `ResourceType`."""

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        return frozenset()

    def custom_name(self, properties: Properties) -> str | None:
        return None

    async def exists(self, step: Step, properties: Properties) -> bool:
        return False

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
        await self._responses.open(root, step.token, signals_max=SIGNALS_MAX)
        key = f"{step.stack_id}|{step.logical_id}|{step.token}"
        return Made(self._link(scope.region, key), {})


class WaitConditionType(_Wait):
    """`AWS::CloudFormation::WaitCondition`."""

    name = _TYPE
    deadline_s = _TIMEOUT_S_MAX + 600.0

    def __init__(self, responses: Responses) -> None:
        self._responses = responses

    def check(self, properties: Properties) -> None:
        for name in properties:
            if name not in ("Count", "Handle", "Timeout"):
                raise invalid(f"Encountered unsupported property {name}")
        for name, maximum in (("Count", SIGNALS_MAX), ("Timeout", _TIMEOUT_S_MAX)):
            value = properties.get(name, 1)
            if not has_unknown(value) and not 0 < _number(value) <= maximum:
                raise invalid(f"{name} of a wait condition must be a number from 1 to {maximum}.")
        if ("Handle" in properties) != ("Timeout" in properties):
            raise invalid("A wait condition has a Handle and a Timeout, or none of them.")

    async def create(self, step: Step, properties: Properties) -> Made:
        if step.creation_policy is not None:
            return await self._receive(step)
        if "Handle" not in properties:
            raise invalid("A wait condition needs a Handle and a Timeout, or a CreationPolicy.")
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

    async def _receive(self, step: Step) -> Made:
        """Wait for the signals that the CreationPolicy asks for."""
        count, timeout_s = read_signal(step.creation_policy)
        root = Root(SERVICE, *step.caller.scope, step.stack_id.rpartition("/")[2])
        await self._responses.open(root, step.token, signals_max=SIGNALS_MAX)

        def is_enough(documents: Sequence[str | None]) -> bool:
            signals = _signals(documents)
            has_failed = any(signal["Status"] != "SUCCESS" for signal in signals.values())
            return has_failed or len(signals) >= count

        found = await self._responses.wait(root, step.token, is_enough, timeout_s)
        if found is None:
            message = f"Failed to receive {count} resource signal(s) within the specified duration"
            raise ApiError("", message)
        for id, signal in _signals(found).items():
            if signal["Status"] != "SUCCESS":
                raise ApiError("", f"Received FAILURE signal with UniqueId {id}")
        return Made(step.name, {"Data": "{}"})


def check_creation_policy(logical_id: str, type: str, policy: Any) -> None:
    """Raises `ValidationError` for a CreationPolicy that the type does not have. Of the types with
    one, Lambent offers wait conditions."""
    if policy is None:
        return
    if type != _TYPE:
        raise invalid(f"CreationPolicy is not supported for {type}, which {logical_id} is.")
    if not has_unknown(policy):
        read_signal(policy)


def read_signal(policy: Any) -> tuple[int, int]:
    """How many signals a CreationPolicy asks for, within how many seconds. Raises
    `ValidationError`."""
    signal = policy.get("ResourceSignal", {}) if isinstance(policy, dict) else None
    if not isinstance(signal, dict) or {*policy} - {"ResourceSignal"} or {*signal} - {*_SIGNAL}:
        raise invalid("A CreationPolicy has a ResourceSignal with Count and Timeout.")
    count = _number(signal.get("Count", 1))
    found = _DURATION.fullmatch(str(signal.get("Timeout", "PT5M")))
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    timeout_s = 3600 * hours + 60 * minutes + seconds
    if not 0 < count <= SIGNALS_MAX or not 0 < timeout_s <= _TIMEOUT_S_MAX:
        raise invalid(
            f"A ResourceSignal needs a Count from 1 to {SIGNALS_MAX} and a Timeout such as PT5M,"
            " at most PT12H."
        )
    return count, timeout_s


def _signals(documents: Sequence[str | None]) -> dict[str, dict[str, Any]]:
    """Signals by UniqueId; what is no signal does not count."""
    found = {}
    for document in documents:
        try:
            signal = strict_json.parse_plain(document or "")
        except ValueError:
            continue
        if isinstance(signal, dict) and isinstance(signal.get("Status"), str):
            found[str(signal.get("UniqueId", ""))] = signal
    return found


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
