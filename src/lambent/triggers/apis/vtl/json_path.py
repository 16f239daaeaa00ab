"""JSONPath in templates, bounded: what a path visits is counted. What cannot be counted, such as
functions and regular expressions in filters, is refused."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError, JSONPathMatch

from lambent.triggers.apis.vtl.budget import Budget, OverBudget, TemplateError
from lambent.triggers.apis.vtl.values import Value

PATH_CHARACTERS_MAX = 1_000
VISITS_MAX = 200_000
"""How many values a path may look at."""
_VISITS_A_STEP = 50
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_UNCOUNTED = re.compile(r"\$|=~|\.\.|\*|:|#|~|\^|_\.")
"""In a filter: other queries than of one value below the item, and regular expressions."""


class _Environment(JSONPathEnvironment):
    """JSONPath without functions."""

    def setup_function_extensions(self) -> None:
        """There are none."""


class _CountedMatch(JSONPathMatch):
    """Counts the values that a path visits, and those that a filter may look at there."""

    __slots__ = ()

    def __init__(self, *, filter_context: Mapping[str, Any], obj: object, **others: Any) -> None:
        count = filter_context["count"]
        count.take(1 + len(obj) if isinstance(obj, (dict, list)) else 1)
        super().__init__(filter_context=filter_context, obj=obj, **others)


class _Count:
    """How many values were visited."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0

    def take(self, visits: int) -> None:
        """Raises `OverBudget`."""
        self.taken += visits
        if self.taken > VISITS_MAX:
            raise OverBudget(f"A JSONPath expression visits more than {VISITS_MAX:,} values.")


_ENVIRONMENT = _Environment(filter_caching=False)


def find(document: Value, path: str, budget: Budget) -> Value:
    """What a path selects in a document: for a path of one place its value, or None; for others a
    list. Raises `TemplateError`."""
    budget.step()
    compiled = _compile(path)
    count = _Count()
    matches: Any = [
        _CountedMatch(
            filter_context={"count": count},
            obj=document,
            parent=None,
            path="$",
            parts=(),
            root=document,
        )
    ]
    for segment in compiled.segments:
        matches = segment.resolve(matches)
    try:
        found = [match.obj for match in matches]
    except (JSONPathError, RecursionError, ValueError, TypeError) as error:
        raise TemplateError(f"The JSONPath expression {path!r} fails: {error}") from None
    budget.step(count.taken // _VISITS_A_STEP)
    if compiled.singular_query():
        return found[0] if found else None
    return found


@lru_cache(maxsize=1_024)
def _compile(path: str) -> JSONPath:
    if len(path) > PATH_CHARACTERS_MAX:
        raise TemplateError(f"A JSONPath expression may have {PATH_CHARACTERS_MAX} characters.")
    bare = _QUOTED.sub("''", path)
    _, question, condition = bare.partition("?")
    if "$" in bare[1:] or (question and _UNCOUNTED.search(condition)):
        raise TemplateError(f"The JSONPath expression {path!r} is not supported.")
    try:
        compiled = _ENVIRONMENT.compile(path if path.startswith("$") else f"$.{path}")
    except (JSONPathError, RecursionError, ValueError) as error:
        raise TemplateError(f"The JSONPath expression {path!r} is wrong: {error}") from None
    if not isinstance(compiled, JSONPath) or compiled.pseudo_root:
        raise TemplateError(f"The JSONPath expression {path!r} is not supported.")
    return compiled
