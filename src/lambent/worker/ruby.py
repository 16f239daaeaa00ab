"""What Ruby functions need beside a Ruby: where it finds libraries and gems."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

_LAYERS = "/opt/ruby"
_TASK_ROOT = "/var/task"


def choose_line(wanted: str, lines: Collection[str]) -> str:
    """The Ruby for a function of `wanted`: that, or else the newest."""
    return wanted if wanted in lines else max(lines, key=_numbers)


def ruby_variables(wanted: str, line: str, moved: tuple[Path, Path] | None) -> Mapping[str, str]:
    """Variables of functions of the version `wanted`, which run on a Ruby of `line`.

    `moved`, the prefix of that Ruby and where a box shows it, if that is elsewhere: then it does
    not find its own library by itself.
    """
    libraries = [f"{_LAYERS}/lib"]
    if moved is not None:
        prefix, shown = moved
        own = Path("lib/ruby") / f"{line}.0"
        machines = [path.parent.name for path in sorted((prefix / own).glob("*/rbconfig.rb"))]
        libraries += [str(shown / own / part) for part in ("", *machines)]
    gems = f"{_TASK_ROOT}/vendor/bundle/ruby/{wanted}.0", f"{_LAYERS}/gems/{wanted}.0"
    return {"RUBYLIB": os.pathsep.join(libraries), "GEM_PATH": os.pathsep.join(gems)}


def _numbers(line: str) -> tuple[int, ...]:
    return tuple(int(part) for part in line.split("."))
