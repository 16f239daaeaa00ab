"""The log of a platform in the background."""

import os
from pathlib import Path

import pytest

from lambent.instance.log_file import open_log, own_log, shorten


def test_it_is_written_to_its_end(tmp_path: Path) -> None:
    """Also after it was emptied under who writes; what was in it is in the file before."""
    path, descriptor = open_log(tmp_path / "state")
    assert path.stat().st_mode & 0o777 == 0o600
    os.write(descriptor, b"first\n")
    assert not shorten(path, 6)
    assert shorten(path, 5)
    assert path.read_text() == ""
    os.write(descriptor, b"second\n")
    assert path.read_text() == "second\n"
    assert path.with_name("lambent.log.1").read_text() == "first\n"
    with os.fdopen(descriptor, "w") as stream:
        assert own_log(path.parent, stream) == str(path)
        assert own_log(tmp_path, stream) is None


@pytest.mark.parametrize("trap", ["link", "second name", "fifo", "directory"])
def test_a_trap_in_its_place(tmp_path: Path, trap: str) -> None:
    """The directory belongs to the platform's user: root writes to no file that this one chose."""
    target = tmp_path / "target"
    target.write_text("kept")
    log = tmp_path / "state/lambent.log"
    log.parent.mkdir()
    if trap == "link":
        log.symlink_to(target)
    elif trap == "second name":
        log.hardlink_to(target)
    elif trap == "fifo":
        os.mkfifo(log)
    else:
        log.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - each has its own words
        open_log(log.parent)
    assert target.read_text() == "kept"
