"""Names of functions, as callers may write them.

Every operation accepts a plain name, a partial ARN (`123456789012:function:name`) or a full
ARN, each optionally followed by `:qualifier`. They are parsed here once; the rest of the
platform only sees a `FunctionKey` and a qualifier.
"""

import dataclasses
import re

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.function import LATEST, FunctionKey

NAME_LENGTH_MAX = 64

_REGION = r"(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d"
_FUNCTION_NAME = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:)?"
    rf"(?:(?P<region>{_REGION}):)?"
    r"(?:(?P<account>[0-9]{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)"
    r"(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_VERSION_NUMBER = re.compile(r"[1-9][0-9]{0,17}")

_IS_REGION = re.compile(_REGION)

UNQUALIFIED_ONLY = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support"
    " this operation. Please specify either a function name or an unqualified function ARN."
)


def is_region(name: str) -> bool:
    """Whether a region of AWS could have this name."""
    return _IS_REGION.fullmatch(name) is not None


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionReference:
    """What a caller meant: a function and, if given, a version or alias of it."""

    key: FunctionKey
    qualifier: str | None = None

    @property
    def arn(self) -> str:
        """The ARN as referred to, with the qualifier if there is one."""
        return f"{self.key.arn}:{self.qualifier}" if self.qualifier else self.key.arn


def parse_function_name(
    text: str, scope: Scope, *, qualifier: str | None = None, takes_long_names: bool = False
) -> FunctionReference:
    """Read a `FunctionName` parameter, and the `Qualifier` parameter that came with it. It may
    name a function of another account: whether the caller may use it is decided elsewhere. With
    `takes_long_names` a name that is too long is one that no function has, as for operations that
    only look.

    Raises `ApiError`: `ValidationException` if it does not match the grammar,
    `InvalidParameterValueException` if the name is too long or the two qualifiers differ,
    `ResourceNotFoundException` for another region or partition.
    """
    match = _FUNCTION_NAME.fullmatch(text)
    if match is None:
        raise ApiError(
            "ValidationException",
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy"
            f" constraint: Member must satisfy regular expression pattern: {_PATTERN_SHOWN}",
        )
    name = match["name"]
    if len(name) > NAME_LENGTH_MAX and not takes_long_names:
        raise invalid_parameter(
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy"
            f" constraint: Member must have length less than or equal to {NAME_LENGTH_MAX}"
        )
    if match["partition"] not in (None, "aws"):
        raise not_found(
            f"Functions from the partition '{match['partition']}' are not reachable here: '{text}'"
        )
    region = match["region"] or scope.region
    if region != scope.region:
        raise not_found(
            f"Functions from '{region}' are not reachable in this region ('{scope.region}')"
        )
    account = AccountId(match["account"] or scope.account)
    key = FunctionKey(account, Region(region), name)
    derived = match["qualifier"]
    if derived and qualifier and derived != qualifier:
        raise invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionReference(key, derived or qualifier or None)


def parse_unqualified(text: str, scope: Scope) -> FunctionKey:
    """Read a `FunctionName` of an operation that works on the function as a whole.

    `name:$LATEST` is allowed. Raises `ApiError` as `parse_function_name`, and
    `InvalidParameterValueException` for a version or alias.
    """
    reference = parse_function_name(text, scope)
    if reference.qualifier not in (None, LATEST):
        raise invalid_parameter(UNQUALIFIED_ONLY)
    return reference.key


def version_number(qualifier: str) -> int | None:
    """The number of a published version, 0 for `$LATEST`, None if it can only be an alias."""
    if qualifier == LATEST:
        return 0
    return int(qualifier) if _VERSION_NUMBER.fullmatch(qualifier) else None


_PATTERN_SHOWN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
