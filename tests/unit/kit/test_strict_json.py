"""JSON of strangers."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit import strict_json
from lambent.kit.strict_json import Number, member_as_written, parse, parse_loosely

VALUES = st.recursive(
    st.none() | st.booleans() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize("number", ["0", "-1", "300", "300.0", "3.0e2", "1E-9999", "9" * 5000])
def test_numbers(number: str) -> None:
    """They stay as written, and are not texts."""
    read = parse(f"[{number}]")
    assert read == [number]
    assert type(read[0]) is Number


@pytest.mark.parametrize(
    "text", ["", "NaN", "[-Infinity]", "{", "[1,]", "01", "'x'", "\ufeff1", "[" * 100_000]
)
def test_what_is_not_json(text: str) -> None:
    """Is refused, and so is what is nested too deeply."""
    with pytest.raises(ValueError):  # noqa: PT011 - the reader has many messages
        parse(text)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, 0, 3]), st.booleans())
def test_members(document: Any, indent: int | None, ascii_only: bool) -> None:
    """Each is found as written, in any document; others are not."""
    text = "\n " + json.dumps(document, indent=indent, ensure_ascii=ascii_only) + " "
    assert parse(text) == document
    for name, value in document.items():
        written = member_as_written(text, name)
        assert written is not None
        assert written in text
        assert json.loads(written) == value
    assert member_as_written(text, "".join(document) + "x") is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{}", None),
        ("{ }", None),
        ('{"b":{"a":1}}', None),
        ('{"a" : 1.50 , "b":2}', "1.50"),
        ('{"a":1,"a":[ 2 ]}', "[ 2 ]"),
        ('{"\\u0061":"}"}', '"}"'),
    ],
)
def test_a_member(text: str, written: str | None) -> None:
    """Of duplicates, the last."""
    assert member_as_written(text, "a") == written


@pytest.mark.parametrize("document", ["[" * 200_000, b'{"a":' * 200_000, "{", b"\xff", "1" * 5000])
def test_what_cannot_be_read_loosely_is_one_kind_of_error(document: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_loosely(document)


def test_read_loosely_a_document_is_what_python_takes_it_for() -> None:
    assert parse_loosely(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    assert parse_loosely("NaN") != parse_loosely("NaN")


_OURS = {
    "identity/aws_policies.py",
    *("store/holding.py", "identity/session_tokens.py", "sandbox/launcher/main.py"),
    "stacks/sealing.py",
    *("polling/delivered_queue.py", "polling/sources/sqs/messages.py"),
    "polling/sources/kafka/driver.py",
    *("polling/tumbling.py", "node/environment/failures.py"),
    *("services/local_services_rotations.py", "services/local_services_program.py"),
    "services/local_services_streams.py",
    *("telemetry/series/database.py", "telemetry/series/distribution.py"),
    "triggers/lex/understanding.py",
}
"""Files that read what the platform wrote itself, or run as separate processes."""


_READERS = {"json.loads", "quick_json.decode"}


@pytest.mark.slow
def test_json_of_strangers_of_any_depth_is_read() -> None:
    """Python's reader raises RecursionError, which is not a ValueError: every place catches it, or
    reads through this module."""
    source = Path(strict_json.__file__).parents[1]
    for file in sorted(source.rglob("*.py")):
        name = str(file.relative_to(source))
        if name in _OURS or name.startswith(("cli/", "runtimes/", "kit/")):
            continue
        tree = ast.parse(file.read_text())
        tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
        caught = {
            node
            for attempt in tries
            if any("RecursionError" in ast.unparse(handler) for handler in attempt.handlers)
            for statement in attempt.body
            for node in ast.walk(statement)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in _READERS:
                assert node in caught, f"{name}:{node.lineno}"
