"""Patch operations: how an Update operation changes a document.

A request lists operations: `replace /name`, `add /variables/k`, `remove /binaryMediaTypes/a~1b`.
What is allowed is a table for each kind of document; each row is one path and its operations.
AWS words refusals differently for different kinds, which `Style` says.
"""

import copy
import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.model.errors import ApiError

PATCHES_MAX = 80
"""Operations of one request."""

Body = dict[str, Any]


class Style(enum.Enum):
    """How AWS words refusals."""

    PLAIN = "plain"
    """`Invalid patch path /x`, `Invalid patch operation specified. Must be one of: [replace]`."""
    PATHS_ONLY = "paths only"
    """As `PLAIN`, but an operation that is not allowed makes the path invalid."""
    LISTED = "listed"
    """`Invalid patch path  '/x' specified for op 'replace'. Must be one of: [/a, /b]`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    """One operation."""

    op: str
    path: str
    value: str | None
    source: str | None
    """Where `copy` copies from: `from` in requests."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's segments, unescaped."""
        return split_pointer(self.path)

    @property
    def text(self) -> str:
        """The value; empty if there is none."""
        return self.value or ""

    @property
    def flag(self) -> bool:
        """The value as a boolean: whatever is not `true` is false, as in AWS."""
        return self.text.lower() == "true"


def split_pointer(path: str) -> tuple[str, ...]:
    """The segments of a JSON pointer: `/a~1b/c` has `a/b` and `c`."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:])


def read_patches(operations: Sequence[Mapping[str, str]] | None) -> list[Patch]:
    """The operations of a request. Raises `BadRequestException` if one is incomplete, or if there
    are more than `PATCHES_MAX`."""
    found = [
        Patch(
            given.get("op", ""), given.get("path") or "null", given.get("value"), given.get("from")
        )
        for given in operations or ()
    ]
    if len(found) > PATCHES_MAX:
        raise bad_request(f"A request must not have more than {PATCHES_MAX} patch operations.")
    for patch in found:
        if not patch.path.startswith("/"):
            raise bad_request(f"Invalid patch path {patch.path}")
    return found


Change = Callable[[Body, Patch, tuple[str, ...]], None]
"""Changes a document as an operation says. Also receives the segments of the path that stand where
the row's path has `{}`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A path that may be changed."""

    path: str
    """`/requestTemplates/{}`; the last `{}` also matches segments behind it."""
    change: Change
    ops: tuple[str, ...] = ("replace",)
    bad_op: str | None = None
    """The error for other operations; by default, what the table's style says."""

    def match(self, parts: tuple[str, ...]) -> tuple[str, ...] | None:
        """The segments in place of `{}`, or None if a path is not this one."""
        wanted = self.path.split("/")[1:]
        if len(wanted) != len(parts):
            return None
        found = []
        for want, part in zip(wanted, parts, strict=True):
            if want == "{}":
                found.append(part)
            elif want != part:
                return None
        return tuple(found)


@dataclasses.dataclass(frozen=True, slots=True)
class PatchTable:
    """What may be changed of one kind of document."""

    rows: tuple[Row, ...]
    style: Style = Style.PLAIN

    def apply(self, body: Mapping[str, Any], patches: Sequence[Patch]) -> Body:
        """`body` after all operations. Raises `BadRequestException` for an operation that is not
        allowed, `NotFoundException` for one on a name that is not there."""
        changed: Body = copy.deepcopy(dict(body))
        for patch in patches:
            row, keys = self._find(patch)
            row.change(changed, patch, keys)
        return changed

    def _find(self, patch: Patch) -> tuple[Row, tuple[str, ...]]:
        bad_op: ApiError | None = None
        for row in self.rows:
            keys = row.match(patch.parts)
            if keys is None:
                continue
            if patch.op in row.ops:
                return row, keys
            listed = ", ".join(row.ops)
            text = row.bad_op or f"Invalid patch operation specified. Must be one of: [{listed}]"
            bad_op = bad_request(text)
        if self.style is Style.LISTED:
            raise self._refuse_listed(patch)
        if bad_op is not None and self.style is Style.PLAIN:
            raise bad_op
        raise bad_request(f"Invalid patch path {patch.path}")

    def _refuse_listed(self, patch: Patch) -> ApiError:
        paths = [row.path for row in self.rows if patch.op in row.ops]
        hint = (
            f"Must be one of: [{', '.join(paths)}]"
            if paths
            else "Please choose supported operations"
        )
        return bad_request(
            f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'. {hint}"
        )
