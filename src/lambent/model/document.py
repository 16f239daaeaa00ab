"""Documents: the resources of services whose resources have no rules for the database to keep.

An API of API Gateway is a tree of small documents: routes, integrations, stages. Each belongs to a
*root*, the thing that is made, read into memory and deleted as a whole.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.model.arn import AccountId, Region, Scope

Body = Mapping[str, Any]
"""What a document says, as JSON: by rule the members that the service's API shows."""


class Root(NamedTuple):
    """What a document belongs to, and what changes are announced for."""

    service: str
    """botocore's name of the service: `apigateway`."""
    account: AccountId
    region: Region
    id: str
    """The id of an API; empty for what belongs to the account itself, such as API keys."""

    @property
    def scope(self) -> Scope:
        """Its account and region."""
        return Scope(self.account, self.region)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One resource."""

    root: Root
    kind: str
    """Such as `route`; each kind has its own ids."""
    id: str
    body: Body = dataclasses.field(repr=False)
    """Not in `repr`: it may be a secret, such as an API key."""
