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

from lambent.control.apis.errors import bad_request, not_found, unsupported
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


# What rows do.


def text(member: str, blank: str | None = None) -> Change:
    """Sets a member to a text. An empty text removes it, or is the error `blank`."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        holder, name = _holder(body, member)
        if not patch.text and blank is not None:
            raise bad_request(blank)
        if patch.text:
            holder[name] = patch.text
        else:
            _drop(body, member)

    return change


def flag(member: str) -> Change:
    """Sets a member to a boolean."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        holder, name = _holder(body, member)
        holder[name] = patch.flag

    return change


def whole(member: str, low: int, high: int, refusal: str, *, may_be_unset: bool = False) -> Change:
    """Sets a member to a whole number. `refusal` is the error for others; without a value the
    member is removed if that is allowed."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        if not patch.text and may_be_unset:
            _drop(body, member)
            return
        number = read_whole(patch.text)
        if number is None or not low <= number <= high:
            raise bad_request(refusal)
        holder, name = _holder(body, member)
        holder[name] = number

    return change


def number(member: str, low: float, high: float, refusal: str) -> Change:
    """Sets a member to a number."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        found = read_number(patch.text)
        if found is None or not low <= found <= high:
            raise bad_request(refusal)
        holder, name = _holder(body, member)
        holder[name] = found

    return change


def entry(
    member: str,
    missing: str = "Invalid parameter name specified",
    *,
    is_flag: bool = False,
    blank: str | None = None,
    adds: bool = False,
) -> Change:
    """Changes one entry of a map, which the last `{}` names. `missing` is the error when an entry
    that is not there is replaced or removed, `blank` the error for an empty value. If it `adds`,
    `replace` may be of one that is not there."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        holder, name = _holder(body, member)
        entries = dict(holder.get(name) or {})
        key = keys[-1]
        may_be_new = patch.op == "add" or (adds and patch.op == "replace")
        if key not in entries and not may_be_new:
            raise not_found(missing)
        if patch.op == "remove":
            del entries[key]
        elif is_flag:
            entries[key] = patch.flag
        elif not patch.text and blank is not None:
            raise bad_request(blank)
        else:
            entries[key] = patch.text or None
        holder[name] = entries
        if not entries:
            _drop(body, member)

    return change


def item(member: str) -> Change:
    """Changes one item of a list. The item is the last segment of the path, or the value if the
    path ends with the list. `replace` removes it and appends the value."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        holder, name = _holder(body, member)
        items = list(holder.get(name) or [])
        old = keys[-1] if keys else patch.text
        new = patch.text if patch.op == "replace" else old
        if patch.op in ("remove", "replace"):
            if old not in items:
                raise not_found(f"{old} is not in {member}.")
            items.remove(old)
        if patch.op != "remove" and new and new not in items:
            items.append(new)
        holder[name] = items
        if not items:
            _drop(body, member)

    return change


def removal(member: str) -> Change:
    """Removes a member."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        _drop(body, member)

    return change


def refused(what: str) -> Change:
    """Of what is not offered: refuses every value but none and `false`."""

    def change(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        if patch.op != "remove" and patch.text.lower() not in ("", "false"):
            raise unsupported(what)

    return change


def read_whole(value: str) -> int | None:
    """A whole number, or None."""
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        return None
    return int(value)


def read_number(value: str) -> float | None:
    """A finite number, or None."""
    try:
        found = float(value) if len(value) < 64 else None
    except ValueError:
        return None
    return found if found is not None and abs(found) < 1e18 else None


def _holder(body: Body, member: str) -> tuple[Body, str]:
    """The object that has a member, such as `quota` for `quota.limit`, and the member's name. The
    object is made if it is not there."""
    *above, name = member.split(".")
    holder = body
    for part in above:
        holder = holder.setdefault(part, {})
    return holder, name


def _drop(body: Body, member: str) -> None:
    """Removes a member, and objects above it that become empty."""
    *above, name = member.split(".")
    holder = body
    for part in above:
        holder = holder.get(part) or {}
    holder.pop(name, None)
    if above and not holder:
        _drop(body, ".".join(above))
