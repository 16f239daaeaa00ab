"""Images as a hostile process might have them: real ones with any of their parts changed."""

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

from lambent.sandbox.launcher import image_rules as rules
from lambent.sandbox.launcher.image import PAGE, REGISTERS, SPECIAL, Image, Mapping, OpenFile, Run

_EDGES = (
    *(0, 1, 4, 8, 0xFFF, PAGE, 0xF000, rules.LOWEST, rules.LOWEST - PAGE, rules.LOWEST + PAGE),
    *(rules.SCRATCH - PAGE, rules.SCRATCH, rules.SCRATCH + PAGE, rules.SCRATCH + 0x60000),
    *(rules.SCRATCH + rules.SCRATCH_BYTES - PAGE, rules.SCRATCH + rules.SCRATCH_BYTES),
    *(1 << 31, 1 << 32, 16 << 40, 64 << 30, rules.HIGHEST - PAGE, rules.HIGHEST),
    *(rules.HIGHEST + PAGE, 1 << 47, 1 << 48, 1 << 56, 0xFFFFFFFFFF600000, 1 << 62, 1 << 63),
    *((1 << 64) - PAGE, (1 << 64) - 1, 1 << 64, -1, -PAGE),
)
_NAMES = (
    *("", "[heap]", "[stack]", "[vdso]", "[vvar]", "[vsyscall]", "[uprobes]", "[anon:x]"),
    *("/etc/shadow", "/tmp/x", "/usr/../tmp/x", "/usr/x (deleted)", "/memfd:x (deleted)"),
    *("/dev/mem", "/dev/zero", "/dev/null", "/proc/self/mem", "/usr/" + "x" * 2000),
    *("/usr/a\0b", "/usr/a\\012b", "/usr/a\nb", "/usr/\udcff", "/usr/lib", "anon_inode:[io_uring]"),
)
Change = Callable[[Image, random.Random], Image]


def mutate(image: Image, chance: random.Random) -> Image:
    """One to three changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        image = chance.choice(_CHANGES)(image, chance)
    return image


def _number(image: Image, chance: random.Random, near: int = 0) -> int:
    """A number that may be awkward."""
    kind = chance.randrange(6)
    if kind == 0:
        return chance.choice(_EDGES)
    if kind == 1:
        return near + chance.choice((-PAGE, PAGE, -1, 1, 4, 8, 32, -32, 1 << 20, -(1 << 20)))
    if kind == 2:
        mapping = chance.choice((*image.mappings, *image.specials, image.stack))
        return chance.choice(
            (mapping.start, mapping.end, mapping.start - PAGE, mapping.end - PAGE, mapping.size)
        )
    if kind == 3:
        return chance.randrange(1 << chance.randrange(1, 65))
    if kind == 4:
        return chance.randrange(1 << 47) & ~0xFFF
    return near ^ 1 << chance.randrange(64)


def _changed_mapping(mapping: Mapping, image: Image, chance: random.Random) -> Mapping:
    fields: dict[str, Any] = {
        "start": _number(image, chance, mapping.start),
        "end": _number(image, chance, mapping.end),
        "protection": chance.choice((*range(8), 8, -1, 0x1000000)),
        "is_shared": not mapping.is_shared,
        "offset": _number(image, chance, mapping.offset),
        "inode": chance.choice((0, 1, 1 << 63)),
        "name": chance.choice(_NAMES),
    }
    if chance.random() < 0.2:  # Moved as a whole.
        start = _number(image, chance, mapping.start)
        return dataclasses.replace(mapping, start=start, end=start + mapping.size)
    chosen = chance.sample(list(fields), chance.choice((1, 1, 2)))
    return dataclasses.replace(mapping, **{name: fields[name] for name in chosen})


def _with(parts: Sequence[Any], chance: random.Random, change: Callable[[Any], Any]) -> Any:
    """One of several changed, thrown away, doubled or put elsewhere."""
    several = list(parts)
    if not several:
        return ()
    at, kind = chance.randrange(len(several)), chance.randrange(8)
    if kind == 0:
        del several[at]
    elif kind == 1:
        several.insert(chance.randrange(len(several) + 1), several[at])
    elif kind == 2:
        several.insert(chance.randrange(len(several)), several.pop(at))
    elif kind == 3:
        several.insert(at, change(several[at]))
    else:
        several[at] = change(several[at])
    return tuple(several)


def _mappings(image: Image, chance: random.Random) -> Image:
    changed = _with(
        image.mappings, chance, lambda mapping: _changed_mapping(mapping, image, chance)
    )
    return dataclasses.replace(image, mappings=changed)


def _new_mapping(image: Image, chance: random.Random) -> Image:
    start, size = _number(image, chance), abs(_number(image, chance, PAGE)) or PAGE
    inode, name = chance.choice(((0, ""), (0, ""), (7, "/usr/lib"), (7, "/dev/zero")))
    protection = chance.randrange(8)
    added = Mapping(start & ~0xFFF, (start & ~0xFFF) + size, protection, False, 0, inode, name)
    changed = sorted([*image.mappings, added], key=lambda mapping: mapping.start)
    return dataclasses.replace(image, mappings=tuple(changed))


def _specials(image: Image, chance: random.Random) -> Image:
    def change(mapping: Mapping) -> Mapping:
        if chance.random() < 0.3:
            return dataclasses.replace(mapping, name=chance.choice(SPECIAL))
        return _changed_mapping(mapping, image, chance)

    return dataclasses.replace(image, specials=_with(image.specials, chance, change))


def _stack(image: Image, chance: random.Random) -> Image:
    return dataclasses.replace(image, stack=_changed_mapping(image.stack, image, chance))


def _runs(image: Image, chance: random.Random) -> Image:
    def change(run: Run) -> Run:
        name = chance.choice(("start", "size", "at"))
        return dataclasses.replace(run, **{name: _number(image, chance, getattr(run, name))})

    runs = dict(image.runs)
    if not runs:
        return image
    start = chance.choice(list(runs))
    if chance.random() < 0.2:
        runs[_number(image, chance, start)] = runs.pop(start)
    else:
        runs[start] = _with(runs[start], chance, change)
    return dataclasses.replace(image, runs=runs)


def _registers(image: Image, chance: random.Random) -> Image:
    name = chance.choice(REGISTERS)
    registers = {**image.registers, name: _number(image, chance, image.registers.get(name, 0))}
    if chance.random() < 0.02:
        del registers[name]
    return dataclasses.replace(image, registers=registers)


def _blocks(image: Image, chance: random.Random) -> Image:
    name = chance.choice(("extended_state", "signal_mask"))
    data = bytearray(getattr(image, name))
    if not data or chance.random() < 0.3:
        data = data[: chance.randrange(len(data) + 1)] + bytes(chance.randrange(3))
    else:
        data[chance.randrange(len(data))] = chance.randrange(256)
    return dataclasses.replace(image, **{name: bytes(data)})


def _actions(image: Image, chance: random.Random) -> Image:
    def change(note: tuple[int, bytes]) -> tuple[int, bytes]:
        if chance.random() < 0.5:
            return chance.choice((0, -1, 9, 19, 32, 33, 64, 65, 1 << 31)), note[1]
        return note[0], chance.randbytes(chance.choice((0, 8, 31, 32, 32, 33)))

    return dataclasses.replace(image, actions=_with(image.actions, chance, change))


def _areas(image: Image, chance: random.Random) -> Image:
    if chance.random() < 0.4:
        code = image.registers.get("rip", 0)
        aims = (code - 2, code, image.stack.start)
        near = chance.choice((*aims, image.tid_address))
        number = chance.choice((near, _number(image, chance, near)))
        return dataclasses.replace(image, tid_address=number)
    sequences = list(image.sequences)
    at = chance.randrange(3)
    sequences[at] = _number(image, chance, sequences[at])
    return dataclasses.replace(image, sequences=tuple(sequences))


def _files(image: Image, chance: random.Random) -> Image:
    def change(file: OpenFile) -> OpenFile:
        fields = {
            "number": chance.choice((-1, 0, 1, 3, 4, 5, 6, 7, 1023, 1024, 1 << 31)),
            "path": chance.choice(_NAMES),
            "flags": chance.choice((0, 1, 2, 3, 0x40, 0x80000, 0x200000, -1, 1 << 40)),
            "position": _number(image, chance),
        }
        name = chance.choice(list(fields))
        return dataclasses.replace(file, **{name: fields[name]})

    return dataclasses.replace(image, files=_with(image.files, chance, change))


def _sockets(image: Image, chance: random.Random) -> Image:
    def change(_: int) -> int:
        return chance.choice((-1, 0, 3, 4, 5, 6, 7, 8, 1023, 1024, 1 << 40))

    changed = _with(image.dead_sockets, chance, change)
    if chance.random() < 0.1:
        changed = (*changed, *range(100, 100 + chance.choice((10, 60, 2000))))
    return dataclasses.replace(image, dead_sockets=changed)


def _sizes(image: Image, chance: random.Random) -> Image:
    if chance.random() < 0.5:
        return dataclasses.replace(image, umask=_number(image, chance, image.umask))
    return dataclasses.replace(image, size_bytes=_number(image, chance, image.size_bytes))


_CHANGES: tuple[Change, ...] = (
    *(_mappings, _mappings, _new_mapping, _new_mapping, _specials, _stack, _runs, _registers),
    *(_registers, _blocks, _actions, _areas, _files, _sockets, _sizes),
)
