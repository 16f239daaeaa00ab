"""What each operation of X-Ray needs permission for: only sampling rules are resources."""

from collections.abc import Mapping, Sequence

from lambent.control.sampling_rules import rule_arn
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import NOTHING, TAGS, Needs, Resource, each


async def _rule(asked: Asked) -> Sequence[Target]:
    params = asked.params.get("SamplingRule") or asked.params.get("SamplingRuleUpdate")
    params = params or asked.params
    name, arn = params.get("RuleName"), params.get("RuleARN")
    if name is not None or arn is None:
        arn = rule_arn(asked.scope, str(name))
    return [Target(arn, asked.scope.account)]


_RULE = Resource(("sampling-rule",), _rule)
_OF_NO_RESOURCE = (
    *("PutTraceSegments", "PutTelemetryRecords", "GetTraceSummaries", "BatchGetTraces"),
    *("GetTraceGraph", "GetServiceGraph", "GetSamplingRules", "GetSamplingTargets"),
)

PERMISSIONS: Mapping[str, Needs] = {
    **each("xray", _OF_NO_RESOURCE, NOTHING),
    **each("xray", ("CreateSamplingRule",), _RULE, *TAGS),
    **each("xray", ("UpdateSamplingRule", "DeleteSamplingRule"), _RULE),
}
RESOURCE_NAMES = (("sampling-rule", "`arn:aws:xray:REGION:ACCOUNT:sampling-rule/NAME`"),)
