"""Interpreters that functions can run on, and what is prepared for them."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lambent.node.languages import java
from lambent.node.languages.interpreters import Interpreter
from lambent.node.languages.runtime_clients import runtime_name
from lambent.upkeep.doctor.check import Check


def check_runtimes(
    interpreters: Sequence[Interpreter],
    cache: Path,
    closed: Callable[[Path], Path | None] = lambda _: None,
) -> Iterator[Check]:
    """One check per interpreter found, and one per language without any. `closed` says which
    directory keeps functions from getting to a path, if one does."""
    for one in interpreters:
        folder = runtime_name(one)
        if (barrier := closed(one.prefix)) is not None:
            yield Check(
                name=f"{folder}.x" if one.kind == "node" else folder, state="missing",
                found=f"{one.executable}, but functions' users may not enter {barrier}",
                fix="install it where everybody may go, or start lambent as an ordinary user",
            )  # fmt: skip
            continue
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
