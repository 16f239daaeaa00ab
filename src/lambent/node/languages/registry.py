"""The languages that functions can be written in. `provided.*` functions bring their own
runtime."""

from lambent.node.languages.java import Java
from lambent.node.languages.language import Interpreter, Language
from lambent.node.languages.node import Node
from lambent.node.languages.python import Python
from lambent.node.languages.ruby import Ruby

LANGUAGES: tuple[Language, ...] = (Python(), Node(), Java(), Ruby())
LANGUAGE_BY_NAME = {language.name: language for language in LANGUAGES}


def language_of(interpreter: Interpreter) -> Language:
    """The language of an interpreter."""
    return LANGUAGE_BY_NAME[interpreter.kind]
