"""Rules on the paths of resources."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lambent.control.apis.errors import bad_request, conflict

VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")
PATH_PART_LENGTH_MAX = 512
_LITERAL = re.compile(r"[A-Za-z0-9._\-:~$]+", re.ASCII)
_VARIABLE = re.compile(r"\{[A-Za-z0-9._\-:]+\+?\}", re.ASCII)

Body = Mapping[str, Any]


def is_variable(path_part: str) -> bool:
    """Whether a path part stands for any text: `{id}`, `{proxy+}`."""
    return path_part.startswith("{")


def is_greedy(path_part: str) -> bool:
    """Whether a path part stands for the rest of a path: `{proxy+}`."""
    return path_part.endswith("+}")


def join(parent: str, path_part: str) -> str:
    """The path of a resource below another."""
    return f"{parent.rstrip('/')}/{path_part}"


def check_path_part(path_part: str) -> None:
    """Raises `BadRequestException` unless it is a literal or a variable."""
    is_fit = len(path_part) <= PATH_PART_LENGTH_MAX and (
        _LITERAL.fullmatch(path_part) or _VARIABLE.fullmatch(path_part)
    )
    if not is_fit:
        raise bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and"
            " curly braces at the beginning and the end."
        )


def check_verb(verb: str) -> None:
    """Raises `BadRequestException` unless a resource may have this method."""
    if verb not in VERBS:
        raise bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}")


def check_place(body: Body, parent: Body, others: Iterable[Body]) -> None:
    """Raises `ApiError` if a resource cannot be below `parent`. `others` are all resources of the
    API."""
    path_part = body["pathPart"]
    if is_greedy(parent.get("pathPart", "")):
        raise bad_request(
            f"Cannot create a child of a resource with a greedy path variable: {parent['pathPart']}"
        )
    siblings = [
        other
        for other in others
        if other.get("parentId") == parent["id"] and other["id"] != body["id"]
    ]
    for sibling in siblings:
        if sibling["pathPart"] == path_part:
            raise conflict(
                f"Another resource with the same parent already has this name: {path_part}"
            )
    if is_variable(path_part):
        for sibling in siblings:
            if is_variable(sibling["pathPart"]):
                raise bad_request(
                    f"A sibling ({sibling['pathPart']}) of this resource already has a variable"
                    " path part -- only one is allowed"
                )
    if is_greedy(path_part) and any(other.get("parentId") == body["id"] for other in others):
        raise bad_request(
            f"Cannot create a child of a resource with a greedy path variable: {path_part}"
        )


def below(id: str, resources: Iterable[Body]) -> list[Body]:
    """All resources below one, parents before children."""
    children: dict[str, list[Body]] = {}
    for resource in resources:
        children.setdefault(resource.get("parentId", ""), []).append(resource)
    found: list[Body] = []
    waiting = [id]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.append(child)
            waiting.append(child["id"])
    return found
