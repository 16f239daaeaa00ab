"""The tier `process` at the start: it is refused or accepted with a loud warning; and functions,
which may run as separate users, need access to the runtimes."""

import logging
import sys
from pathlib import Path

from lambent.node.languages.language import Interpreter
from lambent.node.languages.preparing import default_cache
from lambent.sandbox import users
from lambent.sandbox.launcher import landlock
from lambent.sandbox.privileges import closed_to_others
from lambent.settings import Settings

logger = logging.getLogger(__name__)

_SYSTEM_CACHE = Path("/var/cache/lambent/runtimes")


def accept(settings: Settings) -> None:
    """Warn about what this tier lacks. Raises SystemExit if a setting asks for more."""
    if wishes := unkept(settings):
        raise SystemExit(
            f"lambent: the tier 'process' cannot keep {', nor '.join(wishes)}. Give lambent a host"
            " where namespaces are allowed (`lambent doctor` says how), or set sandbox.allow_weak"
            " to start anyway"
        )
    separates = users.can_separate(settings.sandbox.platform_uid)
    lines = [
        "!!! ISOLATION IS WEAK: tier 'process'. Run only functions you trust. !!!",
        "This host allows no namespaces, or sandbox.isolation asks for none. Functions share its"
        " network, its process list and its kernel with everything else here: they reach services"
        " on 127.0.0.1, this platform's API and the cloud's metadata (169.254.169.254).",
        f"Landlock is {landlock.describe(landlock.abi())}.",
        "Each environment has a user of its own."
        if separates
        else "All functions and the platform have one user.",
        "Memory is limited for each process; /tmp by the size of a file. See docs/security.md and"
        " `lambent doctor`.",
    ]
    print("\n".join(f"lambent: {line}" for line in lines), file=sys.stderr, flush=True)


def unkept(settings: Settings) -> list[str]:
    """The settings that this tier cannot fulfil; with any of them it is refused."""
    if settings.sandbox.allow_weak:
        return []
    found = []
    if settings.server.auth == "strict":
        found.append("--auth strict, which is for functions that do not trust each other")
    if not settings.egress.enabled:
        found.append("egress.enabled = false")
    if settings.egress.deny:
        found.append("egress.deny")
    return found


def cache(settings: Settings, tier: str) -> Path:
    """The default directory for prepared runtimes."""
    return _SYSTEM_CACHE if has_own_users(settings, tier) else default_cache()


def only_reachable(
    interpreters: tuple[Interpreter, ...], settings: Settings, tier: str
) -> tuple[Interpreter, ...]:
    """The interpreters that the users of functions can reach; the others are logged."""
    if not has_own_users(settings, tier):
        return interpreters
    reachable = []
    for interpreter in interpreters:
        closed = closed_to_others(interpreter.prefix)
        if closed is None:
            reachable.append(interpreter)
        else:
            logger.warning(
                "%s %s cannot run functions: their users may not enter %s. Install it where"
                " everybody may go, or start lambent as an ordinary user",
                interpreter.kind, interpreter.line, closed,
            )  # fmt: skip
    return tuple(reachable)


def has_own_users(settings: Settings, tier: str) -> bool:
    """Whether functions run as separate users that see the host's directories."""
    is_bare = tier == "process" or not users.has_capability(users.CAP_SYS_ADMIN)
    return is_bare and users.can_separate(settings.sandbox.platform_uid)
