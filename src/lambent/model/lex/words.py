"""Text as it is compared: in lower case, without punctuation at the ends of words."""

import unicodedata

_PUNCTUATION = '.,!?;:¿¡"()[]{}<>|…«»“”'
WORDS_MAX = 512
"""Texts have at most 1,024 characters."""


def bare(word: str) -> str:
    """A word without the punctuation around it."""
    return word.strip(_PUNCTUATION)


def words_of(text: str) -> list[str]:
    """The words of a text."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    words = (bare(word) for word in folded.split())
    return [word for word in words if word][:WORDS_MAX]


def folded(text: str) -> str:
    """A text as it is compared with others."""
    return " ".join(words_of(text))


def windows(text: str, words_max: int) -> list[str]:
    """All sequences of up to so many adjacent words of a text, the longest first."""
    words = text.split()
    return [
        " ".join(words[start : start + size])
        for size in range(min(words_max, len(words)), 0, -1)
        for start in range(len(words) - size + 1)
    ]
