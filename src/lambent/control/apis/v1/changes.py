"""What patch operations do to a document: each function makes the change of a row of a table.
Members are named by their path: `quota.limit`."""

from lambent.control.apis.errors import bad_request, not_found, unsupported
from lambent.control.apis.v1.patches import Body, Change, Patch


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
