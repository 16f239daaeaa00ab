"""Which images of processes are given to others."""

import dataclasses
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.sandbox.launcher import image_rules as rules
from lambent.sandbox.launcher.image import (
    PAGE,
    CannotCapture,
    Image,
    Mapping,
    OpenFile,
    Run,
    parse,
)
from tests.unit.sandbox.mutations import mutate
from tests.unit.sandbox.recipes import assert_harmless

CAPTURED = parse(Path(__file__).with_name("captured.json").read_bytes())
"""A real process."""
FIRST = CAPTURED.mappings[0]
HOLE = 0x200000
MUTATIONS = int(os.environ.get("FUZZ_SNAPSHOT_CHECKS", "1000"))
Change = Callable[[Image], Image]


def test_an_ordinary_process() -> None:
    """Is taken, and becomes calls that do no harm; its description is all of it."""
    rules.check(CAPTURED)
    assert_harmless(CAPTURED)
    assert parse(CAPTURED.describe()) == CAPTURED


def memory(start: int, size: int, *, inode: int = 0, name: str = "", protection: int = 3) -> Change:
    """One more mapping."""
    mapping = Mapping(start, start + size, protection, False, 0, inode, name)
    return lambda image: dataclasses.replace(image, mappings=(*image.mappings, mapping))


def special(**fields: object) -> Change:
    """Another place or name for the last of what the kernel maps."""

    def change(image: Image) -> Image:
        *others, last = image.specials
        return dataclasses.replace(image, specials=(*others, dataclasses.replace(last, **fields)))  # type: ignore[arg-type]

    return change


def register(name: str, value: int) -> Change:
    """Another value."""
    return lambda image: dataclasses.replace(image, registers={**image.registers, name: value})


def area(**fields: object) -> Change:
    """Other fields of the image itself."""
    return lambda image: dataclasses.replace(image, **fields)  # type: ignore[arg-type]


def run(**fields: int) -> Change:
    """Other pages for the first mapping that has some."""

    def change(image: Image) -> Image:
        start, runs = next(iter(image.runs.items()))
        changed = (dataclasses.replace(runs[0], **fields), *runs[1:])
        return dataclasses.replace(image, runs={**image.runs, start: changed})

    return change


def file(**fields: object) -> Change:
    """One open file."""
    opened = OpenFile(5, "/etc/passwd", os.O_RDONLY, 0)
    return area(files=(dataclasses.replace(opened, **fields),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (memory(rules.SCRATCH, PAGE), "restoring needs"),
        (memory(rules.SCRATCH - PAGE, 2 * PAGE), "restoring needs"),
        (memory(rules.SCRATCH + rules.SCRATCH_BYTES - PAGE, PAGE), "restoring needs"),
        (memory(rules.LOWEST, 2 << 20), "restoring needs"),
        (memory(rules.LOWEST - PAGE, PAGE), "unusual place"),
        (memory(rules.HIGHEST, PAGE), "unusual place"),
        (memory(1 << 48, PAGE), "unusual place"),
        (memory((1 << 64) - PAGE, PAGE), "unusual place"),
        (memory(0xFFFFFFFFFF600000, PAGE, name="[vsyscall]"), "unusual place"),
        (memory(FIRST.start, PAGE), "unusual place"),
        (memory(HOLE, 0), "cannot be described"),
        (memory(HOLE, -PAGE), "cannot be described"),
        (memory(HOLE + 1, PAGE), "cannot be described"),
        (memory(HOLE, PAGE + 1), "cannot be described"),
        (memory(HOLE, PAGE, protection=8), "cannot be described"),
        (memory(1 << 46, 16 << 40), "GiB of memory"),
        (memory(HOLE, PAGE, inode=1, name="/tmp/x"), "uses the file"),
        (memory(HOLE, PAGE, inode=1, name="/usr/../tmp/x"), "uses the file"),
        (memory(HOLE, PAGE, inode=1, name="/usr/x (deleted)"), "uses the file"),
        (memory(HOLE, PAGE, inode=1, name="/usr/\udcff"), "uses the file"),
        (memory(HOLE, PAGE, inode=1, name="anon_inode:[x]"), "uses the file"),
        (special(start=rules.SCRATCH, end=rules.SCRATCH + PAGE), "restoring needs"),
        (special(start=FIRST.start, end=FIRST.start + PAGE), "unusual place"),
        (special(name="[vvar]"), "what the kernel maps"),
        (special(name="[uprobes]"), "what the kernel maps"),
        (area(stack=dataclasses.replace(CAPTURED.stack, inode=1)), "its stack"),
        (area(stack=dataclasses.replace(CAPTURED.stack, protection=1)), "its stack"),
        (register("rsp", 0), "its stack"),
        (register("rip", 0), "its code"),
        (register("rip", CAPTURED.stack.start + 8), "its code"),
        (register("rip", 1 << 63), "its code"),
        (register("orig_rax", 1), "did not reach the snapshot point"),
        (register("rdi", 3), "did not reach the snapshot point"),
        (register("cs", 0x23), "register cs"),
        (register("ss", 0x18), "register ss"),
        (register("fs", 7), "register fs"),
        (register("eflags", 0x346), "its flags"),
        (register("eflags", 0x3246), "its flags"),
        (register("fs_base", 1 << 47), "register fs_base"),
        (register("gs_base", 0xFFFF888000000000), "register gs_base"),
        (register("rax", 1 << 64), "registers cannot"),
        (register("other", 0), "registers cannot"),
        (area(extended_state=b""), "registers cannot"),
        (area(extended_state=bytes(577)), "registers cannot"),
        (area(extended_state=bytes(1 << 20)), "registers cannot"),
        (area(tid_address=CAPTURED.registers["rip"] & ~3), "thread's number"),
        (area(tid_address=CAPTURED.tid_address + 1), "thread's number"),
        (area(tid_address=1 << 63), "thread's number"),
        (area(sequences=(rules.SCRATCH, 32, 1)), "restartable sequences"),
        (area(sequences=(CAPTURED.sequences[0] + 8, 32, 1)), "restartable sequences"),
        (area(sequences=(CAPTURED.sequences[0], 1 << 31, 1)), "restartable sequences"),
        (run(start=FIRST.start - PAGE), "where no memory is"),
        (run(size=1 << 40), "where no memory is"),
        (run(size=0), "pages cannot be described"),
        (run(size=-PAGE), "pages cannot be described"),
        (run(at=PAGE), "those that were copied"),
        (run(at=1 << 62), "those that were copied"),
        (area(runs={}), "those that were copied"),
        (area(runs={**CAPTURED.runs, HOLE: (Run(HOLE, PAGE, 0),)}), "where no memory is"),
        (area(size_bytes=1 << 62), "those that were copied"),
        (area(actions=((9, bytes(32)),)), "its signals"),
        (area(actions=((65, bytes(32)),)), "its signals"),
        (area(actions=((10, bytes(31)),)), "its signals"),
        (area(actions=((10, bytes(32)), (10, bytes(32)))), "its signals"),
        (area(signal_mask=bytes(7)), "its signals"),
        (file(number=4), "open files"),
        (file(number=-1), "open files"),
        (file(number=1024), "open files"),
        (area(dead_sockets=(5, 5)), "open files"),
        (area(dead_sockets=tuple(range(5, 100))), "too many files"),
        (file(path="/root/x"), "uses the file"),
        (file(flags=os.O_RDWR), "open"),
        (file(flags=os.O_CREAT), "open"),
        (file(position=-1), "its place"),
        (file(position=1 << 63), "its place"),
        (area(umask=0o1000), "umask"),
        (area(umask=-1), "umask"),
    ],
)
def test_refused(change: Change, reason: str) -> None:
    """One sentence says why."""
    with pytest.raises(CannotCapture, match=reason):
        rules.check(change(CAPTURED))


def test_too_many_parts() -> None:
    """Of memory, and of pages."""
    many = [
        Mapping(at, at + PAGE, 3, False, 0, 0, "")
        for at in range(1 << 40, (1 << 40) + (80 << 20), 2 * PAGE)
    ]
    with pytest.raises(CannotCapture, match="too many parts"):
        rules.check(dataclasses.replace(CAPTURED, mappings=(*CAPTURED.mappings, *many)))
    runs = {**CAPTURED.runs, FIRST.start: (Run(FIRST.start, PAGE, 0),) * 5000}
    with pytest.raises(CannotCapture, match="too many parts"):
        rules.check(dataclasses.replace(CAPTURED, runs=runs))


@pytest.mark.slow
def test_any_image_is_refused_or_harmless() -> None:
    """Each part changed at random, many times: no other result, and no other error."""
    chance, taken = random.Random(MUTATIONS), 0
    for _ in range(MUTATIONS):
        image = mutate(CAPTURED, chance)
        try:
            rules.check(image)
        except CannotCapture:
            continue
        taken += 1
        assert_harmless(image)
    assert MUTATIONS / 20 < taken < MUTATIONS / 2
