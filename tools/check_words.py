"""Finds words that the project does not use, and names that must not come back.

    python tools/check_words.py FILE_OR_DIRECTORY...

prints each place with the word to use instead, and exits with 1 if there are any.

Words are checked where people read them: the prose of Markdown files, comments, docstrings, names
of functions, and string literals of `src/lambent` with a space in them (errors, log messages, help
texts). Names are
checked in Python code, where an identifier equals the old name; some names only where they are the
variable of a loop, a comprehension or a lambda. Exempt are

- quotations: everything in backticks or double quotes, and code blocks;
- released sections of CHANGELOG.md: only the part above the second `## [` is checked.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
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
    r"gives(?= (?:that|none|true|something)\b)": "return",
    r"(?:some|any|no)body(?:'s)?": "a user, a caller, another process, no one",
    r"of whatever": "of any",
    r"(?:is|are|was|were|be|been|being) tried again": "is retried",
    r"(?:comes?|came|coming) again": "is delivered again, returns",
    r"all the same": "anyway, still",
    r"(?:can|to) be had": "is available",
    r"behind (?:an?|the) (?:id|uuid|position|name)s?": "after",
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
_LOOP_VARIABLES = {"one": "what it is: row, event, name"}
"""Names that say nothing of the values that a loop or a lambda takes."""
_WORD = re.compile(rf"\b(?:{'|'.join(f'({word})' for word in _WORDS)})\b", re.IGNORECASE)
_QUOTATION = re.compile(r"``[^`]*``|`[^`\n]*`|\"[^\"\n]*\"|“[^”]*”")
_CODE_BLOCK = re.compile(r"^ {0,3}```.*?^ {0,3}```", re.MULTILINE | re.DOTALL)
_SUFFIXES = (".md", ".py", ".cjs", ".mjs", ".java", ".rb", ".toml")


def found(file: Path) -> Iterator[tuple[int, str, str]]:
    """The line of each word or name of a file that is not used, the word, and what to say."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        if file.name == "CHANGELOG.md":
            text = "## [".join(text.split("## [")[:2])
        yield from _words(1, _CODE_BLOCK.sub(_blank, text) if file.suffix == ".md" else text)
        return
    nodes = list(ast.walk(ast.parse(text)))
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for first_line, prose in (*_comments(tokens), *_literals(nodes, file)):
        yield from _words(first_line, prose)
    for token in tokens:
        if token.type == tokenize.NAME and token.string in _NAMES:
            yield token.start[0], token.string, _NAMES[token.string]
    for line, name in _definitions(nodes):
        yield from _words(line, name.replace("_", " "))
    for line, name in _loop_variables(nodes):
        if name in _LOOP_VARIABLES:
            yield line, name, _LOOP_VARIABLES[name]


def _comments(tokens: Sequence[tokenize.TokenInfo]) -> Iterator[tuple[int, str]]:
    """Each comment with its line."""
    for token in tokens:
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _literals(nodes: Sequence[ast.AST], file: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and, where there are messages for users, all text with a space in it; each with
    the number of its first line."""
    has_messages = "src/lambent/" in file.as_posix()
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in docstrings or (has_messages and " " in node.value):
            yield node.lineno, node.value


def _definitions(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and name of each function."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name


def _loop_variables(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and name of each variable of a loop, a comprehension or a lambda."""
    for node in nodes:
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            for target in ast.walk(node.target):
                if isinstance(target, ast.Name):
                    yield target.lineno, target.id
        elif isinstance(node, ast.Lambda):
            yield from ((argument.lineno, argument.arg) for argument in node.args.args)


def _words(first_line: int, prose: str) -> Iterator[tuple[int, str, str]]:
    prose = _QUOTATION.sub(_blank, prose)
    for match in _WORD.finditer(re.sub(r"\s", " ", prose)):
        assert match.lastindex is not None
        line = first_line + prose.count("\n", 0, match.start())
        yield line, match[0], list(_WORDS.values())[match.lastindex - 1]


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
