"""Event source mappings, as values.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

import dataclasses
import enum
from collections.abc import Mapping

from lambent.model.arn import Scope
from lambent.model.function import FunctionKey
from lambent.model.mapping_options import MappingOptions
from lambent.model.sources.kind import Params, SourceKind


class MappingState(enum.StrEnum):
    """The state of a mapping. The keys of `CONCLUSIONS` are transitional."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


CONCLUSIONS: Mapping[MappingState, MappingState | None] = {
    MappingState.CREATING: MappingState.ENABLED,
    MappingState.ENABLING: MappingState.ENABLED,
    MappingState.UPDATING: MappingState.ENABLED,
    MappingState.DISABLING: MappingState.DISABLED,
    MappingState.DELETING: None,
}
"""What each transitional state becomes. None means that the mapping is deleted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    """One mapping. Immutable: changes make a new value."""

    uuid: str
    scope: Scope
    kind: SourceKind
    source_id: str
    """The source's ARN, or the bootstrap servers of a self-managed cluster, sorted."""
    function_arn: str
    """With the qualifier, if the request had one."""
    function_name: str
    state: MappingState
    state_reason: str
    last_modified: float
    """Epoch seconds."""
    last_result: str | None = None
    configuration: Params
    """Members as the API shows them and the database has them. `options` is their meaning."""
    options: MappingOptions = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        options = MappingOptions.parse(self.kind, self.configuration)
        object.__setattr__(self, "options", options)

    @property
    def function_key(self) -> FunctionKey:
        """The function it calls."""
        return FunctionKey(*self.scope, self.function_name)

    @property
    def qualifier(self) -> str | None:
        """The version or alias it calls; None if the mapping names none."""
        return self.function_arn.removeprefix(self.function_key.arn).removeprefix(":") or None

    @property
    def object_prefix(self) -> str:
        """The prefix of objects with discarded records in an on-failure bucket."""
        return f"aws/lambda/{self.uuid}/"

    @property
    def arn(self) -> str:
        """The mapping's own ARN."""
        scope = self.scope
        return f"arn:aws:lambda:{scope.region}:{scope.account}:event-source-mapping:{self.uuid}"
