"""Amazon MQ. An ARN does not say whether a broker runs RabbitMQ or ActiveMQ, and the API treats
both alike, so they are one kind; the driver finds out which it is.
https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

from lambent.model.errors import invalid_parameter
from lambent.model.limits import POLLED_TIMEOUT_S_MAX
from lambent.model.sources.kind import (
    COMMON_PARAMETERS,
    REGION_AND_ACCOUNT,
    FilterRules,
    Params,
    SourceKind,
    check_access,
    named_by_arn,
)

_ACCESS = ("BASIC_AUTH", "VIRTUAL_HOST")


def _check(_arn: str, members: Params) -> None:
    """A broker needs a user and a password."""
    if not members.get("SourceAccessConfigurations"):
        raise invalid_parameter("Required 'sourceAccessConfigurations' parameter is missing.")
    if "BASIC_AUTH" not in check_access(members, _ACCESS):
        raise invalid_parameter("Required source access configuration BASIC_AUTH is missing.")


MQ = SourceKind(
    name="mq",
    driver="lambent.polling.sources.mq.driver",
    identify=named_by_arn(rf"mq:{REGION_AND_ACCOUNT}:broker:[\w.-]+:[\w-]+"),
    parameters=COMMON_PARAMETERS | {"Queues", "SourceAccessConfigurations"},
    defaults={"BatchSize": 100},
    required=("Queues",),
    check=_check,
    filters=FilterRules(data_key="data", admits_mismatch=True),
    window_s=0.5,
    is_window_per_batch=True,
    service="MQ",
    actions=("mq:DescribeBroker",),
    function_timeout_max_s=POLLED_TIMEOUT_S_MAX,
    conflict=(
        'An event source mapping with event source ("{source}") and function ("{function_arn}")'
        " already exists."
    ),
)
