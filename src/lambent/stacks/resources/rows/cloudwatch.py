"""Amazon CloudWatch: alarms."""

from lambent.stacks.resources.row_type import Find, Name, Op, Retag, Row, only, op

_ARN = "arn:aws:cloudwatch:{$region}:{$account}:alarm:{$id}"
_DELETE = only("DeleteAlarms", AlarmNames=["{$id}"])
_RETAG = Retag("TagResource", "UntagResource", {"ResourceARN": _ARN})
_EMPTY = {
    "AlarmActions": [],
    "OKActions": [],
    "InsufficientDataActions": [],
    "AlarmDescription": "",
    "ActionsEnabled": True,
}


def _describe(type: str) -> Op:
    return only("DescribeAlarms", AlarmNames=["{AlarmName}"], AlarmTypes=[type])


ALARM = Row(
    name="AWS::CloudWatch::Alarm",
    service="cloudwatch",
    named=Name("AlarmName", 255),
    create=op("PutMetricAlarm"),
    is_idempotent=True,
    physical="{AlarmName}",
    keys={"AlarmName": "{$id}"},
    find=Find(_describe("MetricAlarm"), "MetricAlarms", {"AlarmName": "{AlarmName}"}),
    update=(op("PutMetricAlarm"),),
    delete=_DELETE,
    created={"Arn": _ARN},
    tags="Tags",
    retag=_RETAG,
    defaults=_EMPTY,
)

COMPOSITE_ALARM = Row(
    name="AWS::CloudWatch::CompositeAlarm",
    service="cloudwatch",
    named=Name("AlarmName", 255),
    create=op("PutCompositeAlarm"),
    is_idempotent=True,
    physical="{AlarmName}",
    keys={"AlarmName": "{$id}"},
    find=Find(_describe("CompositeAlarm"), "CompositeAlarms", {"AlarmName": "{AlarmName}"}),
    update=(op("PutCompositeAlarm"),),
    delete=_DELETE,
    created={"Arn": _ARN},
    tags="Tags",
    retag=_RETAG,
    defaults=_EMPTY,
)

ROWS = (ALARM, COMPOSITE_ALARM)
