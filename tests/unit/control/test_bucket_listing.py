"""Pages of objects: whatever the keys are, pages together list each once, in the order of bytes."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.control.buckets.listing import list_page, read_token, write_token
from lambent.control.buckets.objects import checked_key
from lambent.model.errors import ApiError
from lambent.store.objects import StoredObject
from tests.lengths import examples

KEYS = st.text(alphabet="a/bé\U0010ffff", min_size=1, max_size=5)


def stored(key: str) -> StoredObject:
    return StoredObject(key=key, size=0, etag="", modified=0, members={}, owners=[])


@settings(max_examples=examples(200), derandomize=True)
@given(st.sets(KEYS, max_size=12), st.sampled_from(["", "a", "a/", "é"]), st.integers(1, 4))
def test_pages_list_everything_once(keys: set[str], prefix: str, size: int) -> None:
    """As one page does, with a delimiter and without."""
    ordered = sorted(keys, key=str.encode)

    def fetch(begin: bytes, end: bytes | None, limit: int) -> Sequence[StoredObject]:
        found = [
            stored(key)
            for key in ordered
            if key.encode() >= begin and (end is None or key.encode() < end)
        ]
        return found[:limit]

    for delimiter in ("", "/"):
        seen: list[str] = []
        common: list[str] = []
        begin = b""
        while True:
            page = list_page(fetch, prefix=prefix, delimiter=delimiter, begin=begin, size=size)
            assert len(page.objects) + len(page.prefixes) <= size
            seen += [each.key for each in page.objects]
            common += page.prefixes
            if page.following is None:
                break
            begin = read_token(write_token(page.following) or "")
        below = [key for key in ordered if key.startswith(prefix)]
        is_in = [bool(delimiter) and delimiter in key[len(prefix) :] for key in below]
        assert seen == [key for key, rolled in zip(below, is_in, strict=True) if not rolled]
        cut = [
            key[: key.index("/", len(prefix)) + 1]
            for key, rolled in zip(below, is_in, strict=True)
            if rolled
        ]
        assert common == list(dict.fromkeys(cut))


@pytest.mark.parametrize("key", ["é" * 513, "\ud800"])
def test_keys_that_are_none(key: str) -> None:
    """Are too long or no text."""
    with pytest.raises(ApiError):
        checked_key(key)
