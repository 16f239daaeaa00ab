"""Types that do nothing here. A stack may have them, so that a template need not be changed."""

from typing import Any

from lambent.stacks.resources.row_type import Name, Row

_NOTE = "Stored only: it has no effect."


def _stored(name: str, physical: str = "{$name}", named: str = "", **attributes: Any) -> Row:
    return Row(
        name=name,
        service="",
        create=None,
        physical=physical,
        named=Name(named, 255) if named else None,
        attributes=attributes,
        is_stored=True,
        note=_NOTE,
    )


_TARGET = "{ResourceId}|{ScalableDimension}|{ServiceNamespace}"
_POLICY_ARN = "arn:aws:autoscaling:{$region}:{$account}:scalingPolicy:{$name}"

ROWS = (
    _stored("AWS::ApplicationAutoScaling::ScalableTarget", _TARGET, Id="{$id}"),
    _stored("AWS::ApplicationAutoScaling::ScalingPolicy", _POLICY_ARN, Arn="{$id}"),
    _stored("AWS::CDK::Metadata"),
    _stored("AWS::CloudWatch::Dashboard", "{DashboardName}", "DashboardName"),
    _stored("AWS::CodeDeploy::Application", "{ApplicationName}", "ApplicationName"),
    _stored(
        "AWS::CodeDeploy::DeploymentGroup",
        "{DeploymentGroupName}",
        "DeploymentGroupName",
        Id="{ApplicationName}|{DeploymentGroupName}",
    ),
    _stored("AWS::WAFv2::WebACLAssociation", "{ResourceArn}|{WebACLArn}"),
    _stored(
        "AWS::XRay::Group", GroupARN="arn:aws:xray:{$region}:{$account}:group/{GroupName}/{$name}"
    ),
)
