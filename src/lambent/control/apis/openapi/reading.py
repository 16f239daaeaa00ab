"""Reads an OpenAPI document, which is JSON or YAML and hostile.

Aliases of YAML are expanded here, and counted: a few lines may stand for millions of values. What
is returned is a tree of new dictionaries, lists and scalars, without loops.
"""

import datetime
import json
import math
from typing import Any

import yaml

from lambent.control.apis.errors import bad_request
from lambent.kit.computing import LOOP_BYTES_MAX, computed, computed_in_process
from lambent.model.errors import ApiError

BYTES_MAX = 6 * 1024 * 1024
VALUES_MAX = 400_000
DEPTH_MAX = 100
_THREAD_BYTES_MAX = 128 * 1024
"""Parsers hold the interpreter's lock: larger documents are parsed in another process."""

Document = dict[str, Any]


class _Loader(yaml.CSafeLoader):  # type: ignore[misc,name-defined,unused-ignore]
    """YAML as JSON has it: dates are texts, and merge keys, which would multiply, are refused."""


_LEFT_OUT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _LEFT_OUT]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


async def read_document(body: str | bytes) -> Document:
    """The document in a request. Raises `BadRequestException`."""
    data = body.encode() if isinstance(body, str) else body
    if len(data) > BYTES_MAX:
        raise bad_request(f"The OpenAPI document is larger than {BYTES_MAX} bytes.")
    if len(data) <= LOOP_BYTES_MAX:
        read = try_reading(data)
    elif len(data) <= _THREAD_BYTES_MAX:
        read = await computed(try_reading, data)
    else:
        read = await computed_in_process(try_reading, data)
    if isinstance(read, str):
        raise bad_request(f"Unable to parse API definition: {read}")
    return read


def try_reading(data: bytes) -> Document | str:
    """The document, or what is wrong with it. Blocks for seconds if it is large."""
    try:
        text = data.decode("utf-8-sig")
        parsed = json.loads(text) if text.lstrip()[:1] == "{" else _load_yaml(text)
        copied = _Copy().of(parsed, 0)
    except ApiError as error:
        return error.message
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return f"malformed YAML{f' at line {mark.line + 1}' if mark else ''}"
    except (ValueError, OverflowError) as error:
        return f"malformed document ({type(error).__name__})"
    except RecursionError:
        return f"it is nested more than {DEPTH_MAX} levels deep"
    return copied if isinstance(copied, dict) else "it is not an object"


def _load_yaml(text: str) -> Any:
    """As YAML's loader, which would end the process on deep nesting: it recurses in C."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, _Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise bad_request(f"it is nested more than {DEPTH_MAX} levels deep")
        if number > 2 * VALUES_MAX:
            raise bad_request(f"it has more than {VALUES_MAX} values")
    return yaml.load(text, _Loader)


class _Copy:
    """Copies a parsed document into a tree, counting values."""

    def __init__(self) -> None:
        self._values = 0

    def of(self, value: Any, depth: int) -> Any:
        """The copy of a value. Raises `BadRequestException`."""
        self._values += 1
        if self._values > VALUES_MAX:
            raise bad_request(f"it has more than {VALUES_MAX} values")
        if depth > DEPTH_MAX:
            raise bad_request(f"it is nested more than {DEPTH_MAX} levels deep")
        if isinstance(value, dict):
            return {_key(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise bad_request("it has a number that JSON does not know")
        if value is None or isinstance(value, str | int | float | bool):
            return value
        if isinstance(value, datetime.date):
            return value.isoformat()
        raise bad_request(f"it has a value of type {type(value).__name__}")


def _key(key: Any) -> str:
    """Keys such as `200` are numbers in YAML."""
    if key == "<<":
        raise bad_request("merge keys (<<) are not supported")
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(key)
    raise bad_request(f"it has a key of type {type(key).__name__}")
