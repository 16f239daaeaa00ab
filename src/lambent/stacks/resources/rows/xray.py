"""AWS X-Ray: sampling rules."""

from typing import Any

from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Find, Row, only

_NAME_MAX = 32


def _prepare(properties: Properties, step: Step) -> dict[str, Any]:
    """The rule with its name and version, and what of it can be changed."""
    rule = {"RuleName": step.name[-_NAME_MAX:], "Version": 1, **properties["SamplingRule"]}
    fixed = {"RuleName", "RuleARN", "Version"}
    update = {name: value for name, value in rule.items() if name not in fixed}
    return {**properties, "SamplingRule": rule, "Update": update}


SAMPLING_RULE = Row(
    name="AWS::XRay::SamplingRule",
    service="xray",
    create=only("CreateSamplingRule", SamplingRule="{SamplingRule}"),
    physical="{.SamplingRuleRecord.SamplingRule.RuleARN}",
    find=Find(
        only("GetSamplingRules"),
        "SamplingRuleRecords",
        {"SamplingRule.RuleName": "{SamplingRule.RuleName}"},
        "{.SamplingRule.RuleARN}",
    ),
    update=(
        only(
            "UpdateSamplingRule",
            **{"SamplingRuleUpdate": "{Update}", "SamplingRuleUpdate.RuleARN": "{$id}"},
        ),
    ),
    delete=only("DeleteSamplingRule", RuleARN="{$id}"),
    attributes={"RuleARN": "{$id}"},
    prepare=_prepare,
    uses=frozenset({"SamplingRule"}),
    replacing=frozenset({"SamplingRule.RuleName"}),
    stored_only=frozenset({"Tags"}),
)

ROWS = (SAMPLING_RULE,)
