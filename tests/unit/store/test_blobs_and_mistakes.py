"""Blobs cannot be made again: what keeps them from being deleted by mistake."""

import concurrent.futures
import fcntl
from pathlib import Path

import pytest

from lambent.kit.clock import ManualClock
from lambent.store.blobs import TRASH_S
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.problems import StoreError

A, B = "a" * 64, "b" * 64


def test_a_directory_belongs_to_one_database(tmp_path: Path) -> None:
    """Its own may be used again and again; another's, or a new one, is refused while anything is
    there."""
    blobs = DirectoryBlobs(tmp_path)
    blobs.belong_to("first", is_new=True)
    blobs.put(A, b"x")
    blobs.belong_to("first", is_new=False)
    for is_new in (True, False):
        with pytest.raises(StoreError, match="Nothing was deleted") as refused:
            DirectoryBlobs(tmp_path).belong_to("second", is_new=is_new)
        assert str(tmp_path) in str(refused.value)
    assert list(blobs.list_keys()) == [A]
    blobs.delete(A)
    blobs.belong_to("second", is_new=True)
    blobs.put(A, b"x")
    with pytest.raises(StoreError, match="never used with them"):
        blobs.belong_to("first", is_new=False)


def test_a_directory_from_before_there_were_marks(tmp_path: Path) -> None:
    """The blobs belong to the database that was there, and to none if the database is new."""
    DirectoryBlobs(tmp_path).put(A, b"x")
    with pytest.raises(StoreError, match="is new"):
        DirectoryBlobs(tmp_path).belong_to("new", is_new=True)
    DirectoryBlobs(tmp_path).belong_to("old", is_new=False)
    DirectoryBlobs(tmp_path).belong_to("old", is_new=False)


def test_the_trash_is_kept_for_a_day(tmp_path: Path) -> None:
    """Until then everything can be taken back."""
    clock = ManualClock()
    blobs = DirectoryBlobs(tmp_path, clock)
    for key in (A, B, "17"):
        blobs.put(key, key.encode())
        blobs.discard(key)
    blobs.discard(A)
    assert list(blobs.list_keys()) == []
    clock.advance(TRASH_S - 1)
    blobs.empty_trash()
    assert blobs.recover(A)
    assert not blobs.recover(A)
    assert blobs.get(A) == A.encode()
    clock.advance(1)
    blobs.empty_trash()
    assert not blobs.recover(B)
    assert not blobs.recover("17")
    assert list(blobs.list_keys()) == [A]


def test_files_of_others_are_no_blobs(tmp_path: Path) -> None:
    """Files of other programs in the directory are neither listed nor swept."""
    blobs = DirectoryBlobs(tmp_path)
    blobs.put(A, b"x")
    for name in ("README", ".hidden", "a" * 63, "x.zip"):
        (tmp_path / name).write_text("mine")
    assert list(blobs.list_keys()) == [A]


def test_who_deletes_at_the_same_time_leaves_nothing(tmp_path: Path) -> None:
    """The trash is for backups and mistakes, not for crowds."""
    blobs = DirectoryBlobs(tmp_path)
    blobs.belong_to("it", is_new=True)
    keys = [f"{number}" for number in range(300)]
    for key in keys:
        (tmp_path / key).write_bytes(b"x")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(blobs.delete, keys))
    assert list(blobs.list_keys()) == []
    assert not (tmp_path / ".trash").exists()


def test_what_a_backup_may_still_want_is_only_thrown_away(tmp_path: Path) -> None:
    """While one is being made, deleted blobs stay within its reach."""
    blobs = DirectoryBlobs(tmp_path)
    blobs.belong_to("it", is_new=True)
    for key in (A, B):
        blobs.put(key, key.encode())
    with (tmp_path / ".lambent").open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        blobs.delete(A)
    blobs.delete(B)
    assert list(blobs.list_keys()) == []
    assert blobs.recover(A)
    assert not blobs.recover(B)
