"""Interpreters that functions can run on, and what is prepared for them."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lambent.node.languages.language import Interpreter
from lambent.node.languages.preparing import runtime_name
from lambent.node.languages.registry import LANGUAGES, language_of
from lambent.upkeep.doctor.check import Check


def check_runtimes(
    interpreters: Sequence[Interpreter],
    cache: Path,
    closed: Callable[[Path], Path | None] = lambda _: None,
) -> Iterator[Check]:
    """One check per interpreter found, and one per language without any. `closed` says which
    directory keeps functions from getting to a path, if one does."""
    for interpreter in interpreters:
        language = language_of(interpreter)
        folder = runtime_name(interpreter)
        name = f"{folder}.x" if language.folder == "nodejs" else folder
        if (barrier := closed(interpreter.prefix)) is not None:
            yield Check(
                name=name,
                state="missing",
                found=f"{interpreter.executable}, but functions' users may not enter {barrier}",
                fix="install it where everybody may go, or start lambent as an ordinary user",
            )
            continue
        is_prepared = any(cache.glob(f"{folder}-*"))
        found = f"{interpreter.executable}, {'prepared' if is_prepared else 'not prepared yet'}"
        if not is_prepared and (obstacle := language.obstacle(interpreter)) is not None:
            yield Check(name=folder, state="missing", found=found, fix=obstacle)
            continue
        where = ", from the network" if language.needs_network else ""
        fix = "" if is_prepared else f"`lambent up` prepares it{where}"
        yield Check(name=name, state="ok", found=found, fix=fix)
    for language in LANGUAGES:
        has_any = any(interpreter.kind == language.name for interpreter in interpreters)
        for missing in language.missing_tools() if has_any else (language.missing,):
            yield Check(name=missing.name, state="missing", found=missing.found, fix=missing.fix)
    if importlib.util.find_spec("pip") is None and shutil.which("uv") is None:
        fix = "install pip or uv, such as: python3 -m ensurepip"
        yield Check(name="pip", state="missing", found="no pip to prepare Python with", fix=fix)
    yield Check(name="provided.*", state="ok", found="functions bring their own bootstrap")
