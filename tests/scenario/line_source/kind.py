"""Lines of a text that a server has."""

from lambent.model.sources.kind import (
    COMMON_PARAMETERS,
    REGION_AND_ACCOUNT,
    FilterRules,
    SourceKind,
    named_by_arn,
)

LINES = SourceKind(
    name="lines",
    driver="tests.scenario.line_source.driver",
    identify=named_by_arn(rf"lines:{REGION_AND_ACCOUNT}:text:[\w-]+"),
    parameters=COMMON_PARAMETERS | {"MaximumRetryAttempts", "DestinationConfig"},
    defaults={"BatchSize": 100},
    filters=FilterRules(data_key="line"),
    conflict='The text "{source}" already calls the function "{function}".',
)
