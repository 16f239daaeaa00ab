"""What each operation of CloudWatch needs permission for: no metric is a resource of its own."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAG_KEYS,
    TAGS,
    Difference,
    Key,
    Needs,
    Resource,
    Values,
    each,
    some,
)
from lambent.model.alarms.messages import alarm_arn
from lambent.model.arn import Arn
from lambent.model.errors import ApiError


async def _namespace(asked: Asked) -> Values:
    return {"cloudwatch:namespace": [asked.params["Namespace"]]}


async def _actions(asked: Asked) -> Values:
    members = ("OKActions", "AlarmActions", "InsufficientDataActions")
    arns = [arn for member in members for arn in asked.params.get(member) or ()]
    return some("cloudwatch:alarmactions", arns)


async def _alarms(asked: Asked) -> Sequence[Target]:
    """Those that the request names; without a name, all."""
    params = asked.params
    names = params.get("AlarmNames") or [params.get("AlarmName") or "*"]
    return [Target(alarm_arn(asked.scope, name), asked.scope.account) for name in names]


async def _by_arn(asked: Asked) -> Sequence[Target]:
    text = asked.params["ResourceARN"]
    arn = Arn.try_parse(text)
    if arn is None or (arn.partition, arn.service) != ("aws", "cloudwatch"):
        raise ApiError("InvalidParameterValueException", "ResourceARN is not the ARN of an alarm.")
    return [Target(text, arn.account)]


_ALARM = Resource(("alarm",), _alarms)
_TAGGED = Resource(("alarm",), _by_arn)
_NAMESPACE = Key("cloudwatch:namespace", _namespace)
_ALARM_ACTIONS = Key("cloudwatch:AlarmActions", _actions)
_OF_ALARMS = (
    *("DeleteAlarms", "DescribeAlarms", "DescribeAlarmHistory", "SetAlarmState"),
    *("EnableAlarmActions", "DisableAlarmActions"),
)

PERMISSIONS: Mapping[str, Needs] = {
    **each("cloudwatch", ("PutMetricData",), NOTHING, _NAMESPACE),
    **each("cloudwatch", ("GetMetricData", "GetMetricStatistics", "ListMetrics"), NOTHING),
    **each("cloudwatch", _OF_ALARMS, _ALARM),
    **each("cloudwatch", ("DescribeAlarmsForMetric",), NOTHING),
    **each("cloudwatch", ("PutMetricAlarm", "PutCompositeAlarm"), _ALARM, *TAGS, _ALARM_ACTIONS),
    **each("cloudwatch", ("TagResource",), _TAGGED, *TAGS),
    **each("cloudwatch", ("UntagResource",), _TAGGED, TAG_KEYS),
    **each("cloudwatch", ("ListTagsForResource",), _TAGGED),
}
DIFFERENCES = (
    Difference(
        "resource insight-rule",
        False,
        "Lambent has no Contributor Insights.",
        (
            *("cloudwatch:TagResource", "cloudwatch:UntagResource"),
            "cloudwatch:ListTagsForResource",
        ),
    ),
)
RESOURCE_NAMES = (("alarm", "`arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME`"),)
