"""APIs and their stages, as they were deployed."""

import dataclasses
from collections.abc import Mapping

from lambent.model.document import Body, Root

Documents = Mapping[str, Mapping[str, Body]]
"""Bodies by kind and id."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """A stage with the snapshot that it serves."""

    root: Root
    """The API."""
    name: str
    body: Body
    """The stage's own document, in the words of its service."""
    deployment_id: str
    documents: Documents
    """The API's documents when it was deployed; those of kind `api` hold the API itself."""
    canary: Documents | None = None
    """Those of another deployment, which serves a share of the requests; see `canarySettings`."""

    def of(self, kind: str) -> Mapping[str, Body]:
        """The documents of one kind, by id."""
        return self.documents.get(kind, {})

    @property
    def api(self) -> Body:
        """The API's document when it was deployed."""
        return self.of("api").get(self.root.id, {})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Api:
    """An API with its stages. Stages without a deployment are not there: nothing serves them."""

    root: Root
    kind: str
    """`HTTP`, `REST` or `WEBSOCKET`."""
    stages: Mapping[str, Stage]
    has_default_endpoint: bool
    """Whether it is reached by its id, not only by custom domain names."""

    @property
    def id(self) -> str:
        """Ten lower-case letters and digits."""
        return self.root.id


@dataclasses.dataclass(frozen=True, slots=True)
class DomainMapping:
    """What a custom domain name leads to, below a base path."""

    root: Root
    """The account and region of the domain name."""
    key: str
    """The base path without slashes at its ends; empty for all other paths."""
    api_id: str
    stage: str
    """Empty if the next segment of the path names it."""
