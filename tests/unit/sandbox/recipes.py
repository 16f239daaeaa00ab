"""What the calls that a process makes to become an image may be."""

import struct

from lambent.sandbox.launcher import image_rules as rules
from lambent.sandbox.launcher.image import PAGE, WAIT_FD, Image
from lambent.sandbox.launcher.restore import make_recipe

RT_SIGACTION, CHDIR, UMASK, SET_TID_ADDRESS = 13, 80, 95, 218
ANYTHING_ELSE = {RT_SIGACTION, CHDIR, UMASK, SET_TID_ADDRESS}
PRIVATE, FIXED, ANONYMOUS, NORESERVE = 0x02, 0x10, 0x20, 0x4000
END = (1 << 64) - 1
SCRATCH_END = rules.SCRATCH + rules.SCRATCH_BYTES


def assert_harmless(image: Image) -> None:
    """Every call stays within the address space of a program, outside of the scratch area, and
    opens nothing except through its own descriptors."""
    recipe = make_recipe(image, image.specials)
    entries = list(struct.iter_unpack("=8Q", recipe.table))
    assert entries[-1][0] == END
    texts = rules.SCRATCH + 0x60000
    assert rules.SCRATCH + 0x1000 + len(recipe.table) <= texts
    assert texts + len(recipe.texts) <= SCRATCH_END
    for number, first, second, third, fourth, fifth, sixth, flags in entries[:-1]:
        match number:
            case 9:  # mmap
                _assert_in_place(first, second)
                assert third <= 7
                assert fourth in (PRIVATE | FIXED, PRIVATE | FIXED | ANONYMOUS | NORESERVE)
                assert flags & 2 or fifth in (END, WAIT_FD + 1)
                assert sixth % PAGE == 0
                assert sixth + second < 1 << 63
            case 11:  # munmap
                assert first % PAGE == second % PAGE == 0
                assert rules.LOWEST <= first < first + second <= rules.HIGHEST
                assert first + second <= rules.SCRATCH or first >= SCRATCH_END
            case 25:  # mremap
                _assert_in_place(fifth, third)
            case 2:  # open
                path = recipe.texts[first - texts :].partition(b"\0")[0]
                assert path.startswith((b"/var/", b"/opt/", b"/usr/", b"/lib", b"/etc/", b"/dev/"))
                assert b"/../" not in path
                assert second & 0o3 == 0 or path.startswith(b"/dev/")
            case 292:  # dup3
                assert WAIT_FD < second < 1024
            case 3:  # close
                assert flags & 4 or first == WAIT_FD + 1
            case 8 | 41:  # lseek, socket
                pass
            case _:
                assert number in ANYTHING_ELSE, number


def _assert_in_place(start: int, size: int) -> None:
    assert start % PAGE == size % PAGE == 0
    assert size > 0
    assert rules.LOWEST <= start < start + size <= rules.HIGHEST
    assert start + size <= rules.SCRATCH or start >= SCRATCH_END
