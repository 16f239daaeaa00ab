"""Finds words that the project does not use, and names that must not come back.

    python tools/check_words.py FILE_OR_DIRECTORY...

prints each place with the word to use instead, and exits with 1 if there are any.

Words are checked where people read them: the prose of Markdown files, comments, docstrings, and
string literals of `src/lambent` with a space in them (errors, log messages, help texts). Names are
checked in Python code, where an identifier equals the old name. Exempt are

- quotations: everything in backticks or double quotes, and code blocks;
- released sections of CHANGELOG.md: only the part above the second `## [` is checked;
- files of `_PENDING`, whose words are not clean yet. Remove a path when it is.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

_WORDS = {
    r"stand-ins?": "emulator, local services",
    r"who(?:m)?ever": "anyone who; the caller, the user, the process",
    r"for ever": "forever",
    r"anew": "again",
    r"at last": "finally",
    r"(?:lets?|letting) go": "release",
    r"(?:gives?|given|giving|gave) back": "return, release, free",
    r"(?:is|are|was|were|be|been|being) told": "is notified, receives, learns",
    r"(?:is|are|was|were|be|been|being) answered": "gets a response, returns",
    r"answered (?:with|by)": "returns, responds with",
    r"at AWS": "in AWS",
    r"time-outs?": "timeout",
    r"of one's own": "your own, a separate",
    r"behind the first": "after the first",
    r"pieces?": "chunk, part",
}
"""Pattern of a word, and what to say instead. A pattern matches whole words, in any case."""
_NAMES = {
    "StandIn": "LocalServices",
    "Allotment": "Reservation",
    "Keeper": "MappingReconciler",
    "Courier": "DestinationDispatcher",
    "Feeder": "ClaimedQueue",
    "Journal": "GroupCommit",
    "Conclusions": "Settlement",
    "Polled": "ActiveMapping",
    "Tally": "RunningCounter",
    "Surroundings": "PollingContext",
    "Door": "Invoker",
    "Pace": "AdaptiveLimit",
    "Launch": "LaunchSpec",
    "Transplant": "restore",
    "transplant": "restore",
    "stand_in": "local_services",
    "LEGAL": "TRANSITIONS",
    "on_told": "on_responded",
}
"""A name that was replaced, and its replacement."""
_PENDING: tuple[str, ...] = (
    "ARCHITECTURE.md",
    "src/lambent/asynchronous/",
    "src/lambent/control/",
    "src/lambent/invocation/",
    "src/lambent/kit/",
    "src/lambent/model/",
    "src/lambent/node/",
    "src/lambent/polling/function_calls.py",
    "src/lambent/services/",
    "src/lambent/store/",
    "src/lambent/triggers/",
    "tests/",
)
"""Beginnings of paths, from the root of the repository, whose words are not checked yet."""

_ROOT = Path(__file__).resolve().parents[1]
_WORD = re.compile(rf"\b(?:{'|'.join(f'({word})' for word in _WORDS)})\b", re.IGNORECASE)
_QUOTATION = re.compile(r"``[^`]*``|`[^`\n]*`|\"[^\"\n]*\"|“[^”]*”")
_CODE_BLOCK = re.compile(r"^ {0,3}```.*?^ {0,3}```", re.MULTILINE | re.DOTALL)
_SUFFIXES = (".md", ".py", ".cjs", ".mjs", ".java", ".rb", ".toml")


def found(file: Path) -> Iterator[tuple[int, str, str]]:
    """The line of each word or name of a file that is not used, the word, and what to say."""
    text = file.read_text(encoding="utf-8")
    if not _is_pending(file):
        for first_line, prose in _prose(file, text):
            yield from _words(first_line, prose)
    if file.suffix == ".py":
        yield from _names(text)


def _is_pending(file: Path) -> bool:
    path = file.resolve()
    return path.is_relative_to(_ROOT) and path.relative_to(_ROOT).as_posix().startswith(_PENDING)


def _prose(file: Path, text: str) -> Iterator[tuple[int, str]]:
    """What people read of a file, in parts, each with the number of its first line."""
    if file.suffix == ".py":
        yield from _python_prose(text, has_messages="src/lambent/" in file.as_posix())
        return
    if file.name == "CHANGELOG.md":
        text = "## [".join(text.split("## [")[:2])
    yield 1, _CODE_BLOCK.sub(_blank, text) if file.suffix == ".md" else text


def _python_prose(text: str, *, has_messages: bool) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and, where there are messages for users, string literals."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    docstrings = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(node.value)
    for node in ast.walk(ast.parse(text)) if has_messages else docstrings:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def _words(first_line: int, prose: str) -> Iterator[tuple[int, str, str]]:
    prose = _QUOTATION.sub(_blank, prose)
    for match in _WORD.finditer(re.sub(r"\s", " ", prose)):
        assert match.lastindex is not None
        line = first_line + prose.count("\n", 0, match.start())
        yield line, match[0], list(_WORDS.values())[match.lastindex - 1]


def _names(text: str) -> Iterator[tuple[int, str, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in _NAMES:
            yield token.start[0], token.string, _NAMES[token.string]


def _blank(match: re.Match[str]) -> str:
    """As many lines as the match has, so that line numbers stay right."""
    return " . " + "\n" * match[0].count("\n")


def main(paths: list[str]) -> int:
    files = [
        file
        for path in map(Path, paths)
        for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if file.suffix in _SUFFIXES and "node_modules" not in file.parts
    ]
    places = [(file, *place) for file in files for place in found(file)]
    for file, line, word, better in places:
        print(f"{file}:{line}: {word!r}: say {better}")
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
