"""`lambent doctor`: what this machine can do, and how to get what it cannot.

Nothing is changed and nothing is installed; the platform need not run.
"""

import dataclasses
import importlib.util
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from lambent.sandbox.tiers import Isolation, detect
from lambent.settings import Settings
from lambent.worker import java
from lambent.worker.code import disk_usage
from lambent.worker.interpreters import Interpreter, find_interpreters
from lambent.worker.runtime_clients import default_cache, runtime_name

State = Literal["ok", "missing", "broken"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at."""

    name: str
    state: State
    """`missing`: works, with less; `broken`: the platform cannot start."""
    found: str
    fix: str = ""
    """What to do about it, if anything."""

    def as_json(self) -> dict[str, Any]:
        """As printed by `--json`."""
        return dataclasses.asdict(self)


def examine(settings: Settings) -> list[Check]:
    """Look at everything `lambent up` would use with these settings."""
    cache = Path(settings.worker.runtimes_dir or default_cache())
    return [
        *check_isolation(detect()),
        *check_runtimes(find_interpreters(), cache),
        check_data_dir(settings.server.data_dir),
        check_code_space(settings.server.data_dir / "code", settings.worker.code_mb),
    ]


def check_isolation(isolation: Isolation) -> Iterator[Check]:
    """The tier, and what it needs."""
    fix = "; ".join(finding.fix for finding in isolation.findings if finding.fix)
    if isolation.tier is None:
        yield Check(name="isolation", state="broken", found="none", fix=fix)
    else:
        yield Check(name="isolation", state="ok", found=f"tier {isolation.tier}")
    for one in isolation.findings:
        state: State = "ok" if one.is_there else "missing"
        yield Check(name=one.name, state=state, found=one.found, fix=one.fix)


def check_runtimes(interpreters: Sequence[Interpreter], cache: Path) -> Iterator[Check]:
    """One check per interpreter found, and one per language without any."""
    for one in interpreters:
        folder = runtime_name(one)
        is_prepared = any(cache.glob(f"{folder}-*"))
        found = f"{one.executable}, {'prepared' if is_prepared else 'not prepared yet'}"
        if one.kind == "java" and not is_prepared and java.find_compiler(one) is None:
            yield Check(name=folder, state="missing", found=found, fix=java.NO_COMPILER)
            continue
        where = ", from the network" if one.kind in ("python", "node") else ""
        fix = "" if is_prepared else f"`lambent up` prepares it{where}"
        name = f"{folder}.x" if one.kind == "node" else folder
        yield Check(name=name, state="ok", found=found, fix=fix)
    kinds = {one.kind for one in interpreters}
    if "python" not in kinds:
        fix = "install Python, such as: apt-get install python3"
        yield Check(name="python", state="missing", found="no Python", fix=fix)
    if "node" not in kinds:
        fix = "install Node.js and npm, such as: apt-get install nodejs npm"
        yield Check(name="nodejs", state="missing", found="no Node.js 20 or newer", fix=fix)
    elif shutil.which("npm") is None:
        fix = "install npm, such as: apt-get install npm"
        yield Check(name="npm", state="missing", found="no npm to prepare Node.js with", fix=fix)
    if "java" not in kinds:
        fix = "install a JDK, such as: apt-get install openjdk-17-jdk-headless"
        yield Check(name="java", state="missing", found="no Java", fix=fix)
    if "ruby" not in kinds:
        fix = "install Ruby, such as: apt-get install ruby"
        yield Check(name="ruby", state="missing", found="no Ruby 2.7 or newer", fix=fix)
    if importlib.util.find_spec("pip") is None and shutil.which("uv") is None:
        fix = "install pip or uv, such as: python3 -m ensurepip"
        yield Check(name="pip", state="missing", found="no pip to prepare Python with", fix=fix)
    yield Check(name="provided.*", state="ok", found="functions bring their own bootstrap")


def check_code_space(code: Path, mb_max: int) -> Check:
    """What unpacked packages take of the disk, and what they may."""
    used_mb = disk_usage(code) >> 20
    disk = next(path for path in (code, *code.parents) if path.exists())
    free_mb = shutil.disk_usage(disk).free >> 20
    found = f"{used_mb:,} MB of at most {mb_max:,} MB (worker.code_mb); {free_mb:,} MB are free"
    if used_mb + free_mb < mb_max:
        fix = "make room on the disk, or set worker.code_mb to what may be used"
        return Check(name="unpacked code", state="missing", found=found, fix=fix)
    return Check(name="unpacked code", state="ok", found=found)


def check_data_dir(data_dir: Path) -> Check:
    """Whether the data directory is there or can be made."""
    existing = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        found = str(data_dir) if existing == data_dir else f"{data_dir}, made at the first start"
        return Check(name="data directory", state="ok", found=found)
    return Check(
        name="data directory",
        state="broken",
        found=f"{existing} cannot be written",
        fix="name another with --data-dir or LAMBENT_SERVER__DATA_DIR",
    )
