"""Regular expressions in linear time match what Python's match, and cannot be made to run long."""

import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lambent.kit.linear_regex import PatternError, Work, compile_pattern

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "[ab]",
        "[^a]",
        "\\d",
        "\\s",
        ".",
        "(a)",
        "(?:ab)",
        "(a|b)",
        "(a|ab)",
        "(a+b?)",
        "\\.",
    ]
)
QUANTIFIERS = st.sampled_from(
    ["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{1,}"]
)
PARTS = st.lists(st.tuples(ATOMS, QUANTIFIERS).map("".join), min_size=1, max_size=5).map("".join)
PATTERNS = st.builds(
    lambda start, part, bar, end: f"{start}{part}{bar}{end}",
    st.sampled_from(["", "^", "\\b"]),
    PARTS,
    st.one_of(st.just(""), PARTS.map("|{}".format)),
    st.sampled_from(["", "$", "\\z", "\\B"]),
)


@given(PATTERNS, st.text("ab1. \n", max_size=10))
def test_it_matches_what_python_matches(pattern: str, text: str) -> None:
    """The same place, of the pattern and of its whole."""
    known = re.compile(pattern.replace("\\z", "\\Z"), re.ASCII)
    assume("\r" not in text)
    expected, found = known.search(text), compile_pattern(pattern).search(text)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (found.start, found.end) == expected.span()
    if "\\z" not in pattern and "$" not in pattern:
        assert compile_pattern(pattern).matches(text) == bool(known.fullmatch(text))


def test_groups_and_flags() -> None:
    """Groups are those of the match; `(?i)` ignores the case of ASCII letters."""
    found = compile_pattern("(\\w+)@(\\w+)(\\.x)?").search("to: me@home, you")
    assert found is not None
    assert (found.group(0), found.group(1), found.group(2), found.group(3)) == (
        "me@home",
        "me",
        "home",
        None,
    )
    assert compile_pattern("(?i)bearer [a-f]+").matches("BEARER ABC")
    assert compile_pattern("a.c").literal is None
    assert compile_pattern("a\\.c").literal == "a.c"


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "a)",
        "[a",
        "*a",
        "a**{",
        "a{2,1}",
        "a{9999}",
        "(?=a)",
        "(?<n>a)",
        "\\1",
        "\\p{L}",
        "a++",
        "[a&&b]",
        "(" * 50 + ")" * 50,
        "a" * 1_001,
        "(a{100}){100}",
        "[b-a]",
        "\\",
        "a|" * 400,
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """Errors, and what takes more than linear time or much memory."""
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|aa)+b", "(.*)*b", "a*a*a*a*a*b", "(a{0,30}){0,30}b"]
)
def test_patterns_that_run_forever_elsewhere_do_not_here(pattern: str) -> None:
    """They are matched, or stopped after the work that is allowed."""
    started = time.monotonic()
    assert compile_pattern(pattern).search("a" * 200) is None
    with pytest.raises(PatternError):
        compile_pattern(pattern).search("a" * 1_000_000, 0, Work(100_000))
    assert time.monotonic() - started < 10
