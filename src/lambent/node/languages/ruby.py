"""What Ruby functions need beside a Ruby: where it finds libraries and gems."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

_LAYERS = "/opt/ruby"
_TASK_ROOT = "/var/task"
_RUNTIME_DIR = "/var/runtime"


def choose_line(wanted: str, lines: Collection[str]) -> str:
    """The Ruby for a function of `wanted`: that, or else the newest."""
    return wanted if wanted in lines else max(lines, key=_numbers)


def ruby_options(variables: Mapping[str, str]) -> tuple[str, ...]:
    """RubyGems is left to the client, unless the function has options of its own, which may load
    what needs it."""
    return () if variables.get("RUBYOPT") else ("--disable-gems",)


def ruby_variables(runtime: str, line: str, prefix: Path, shown: Path) -> dict[str, str]:
    """Variables of functions of `runtime`, which run on a Ruby of `line`.

    `prefix` is where that Ruby is on the host, `shown` where it is in a box. Elsewhere, it does not
    find its own library by itself; and in the system the gems that came with it, because
    distributions keep others where a gem is looked for by default.
    """
    wanted = runtime.removeprefix("ruby")
    libraries = [f"{_LAYERS}/lib"]
    gems = [f"{_TASK_ROOT}/vendor/bundle/ruby/{wanted}.0", f"{_LAYERS}/gems/{wanted}.0"]
    if prefix == shown:
        gems.append(f"{prefix}/lib/ruby/gems/{line}.0")
    else:
        own = Path("lib/ruby") / f"{line}.0"
        machines = [path.parent.name for path in sorted((prefix / own).glob("*/rbconfig.rb"))]
        libraries += [str(shown / own / part) for part in ("", *machines)]
    return {
        "RUBYLIB": os.pathsep.join(libraries),
        "GEM_PATH": os.pathsep.join(gems),
        "GEM_HOME": _RUNTIME_DIR,
    }


def _numbers(line: str) -> tuple[int, ...]:
    return tuple(int(part) for part in line.split("."))
