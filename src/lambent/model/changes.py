"""The facts that the store sends out after a commit: what changed, and how it is now.

Everything that keeps a part of the database in memory is a `ChangeListener`. It hears of the
platform's own changes before `Store.transact` returns, so before the response is sent, and of
those of other platforms on the same database within a second.
"""

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from lambent.model.concurrency import Reservation
from lambent.model.document import Root
from lambent.model.function import FunctionKey
from lambent.model.identity import AccessKey, Identity
from lambent.model.managed_policy import ManagedPolicy


class Directory(NamedTuple):
    """All users, roles, access keys and managed policies of all accounts."""

    identities: Sequence[Identity]
    keys: Sequence[AccessKey]
    policies: Sequence[ManagedPolicy] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one or several transactions changed."""

    functions: Mapping[FunctionKey, Reservation] = dataclasses.field(default_factory=dict)
    """The functions that changed in any way: versions, aliases, settings. Each with the
    concurrency that is set aside for it now; a function that is gone has an empty reservation."""
    mappings: Set[str] = frozenset()
    """The UUIDs of the event source mappings that changed."""
    directory: Directory | None = None
    """All identities as they are now, if any of them changed."""
    documents: Set[Root] = frozenset()
    """The roots of the documents that changed."""
    is_everything: bool = False
    """Whether anything else may have changed as well, so that nothing in memory can be trusted.
    Then `functions` has every function that sets concurrency aside, `mappings` has all mappings,
    and `directory` is there."""


class ChangeListener(Protocol):
    """Keeps a part of the database in memory."""

    def note_changes(self, changes: Changes) -> None:
        """Forget or replace what is old. Runs on the event loop; must not block or raise."""
        ...
