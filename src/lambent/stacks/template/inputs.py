"""What a template is evaluated with."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.stacks.template.values import Unknown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a template is evaluated with, apart from its resources."""

    account: str
    region: str
    stack_name: str
    stack_id: str
    partition: str = "aws"
    url_suffix: str = "amazonaws.com"
    parameters: Mapping[str, str | Sequence[str]] = dataclasses.field(default_factory=dict)
    """Every parameter of the template, as `Parameters.values` returns them."""
    notification_arns: Sequence[str] = ()
    imports: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Values of exports, of the names that `Evaluation.imported_names` returns."""
    zones: Sequence[str] = ()
    """Availability Zones of the Region."""
    dynamic: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Values of dynamic references, by the whole reference: `{{resolve:ssm:/a:1}}`."""


class Known(NamedTuple):
    """What is known of a resource that exists."""

    ref: str | Unknown
    attributes: Mapping[str, Any] | Unknown
    """By name; `Outer.Inner` for nested ones."""
