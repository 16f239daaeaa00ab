"""`lambent doctor`: what this machine is, what it can do, and how to get what it cannot.

Facts are read (one module per subject, from a `HostFacts` that tests can replace), then a box is
tried (`trial.py`): built by the real launcher as a function's would be. Nothing is installed and
nothing stays; a platform may run meanwhile or not. docs/doctor.md describes the page.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lambent.assembly import weak_tier
from lambent.node.languages.interpreters import find_interpreters
from lambent.sandbox.ports import SandboxError
from lambent.sandbox.privileges import closed_to_others
from lambent.sandbox.settings import SandboxSettings
from lambent.sandbox.tiers import Isolation, choose, detect
from lambent.settings import Settings
from lambent.upkeep.doctor.check import Check, State
from lambent.upkeep.doctor.clock import examine_clock
from lambent.upkeep.doctor.control_groups import examine_control_groups
from lambent.upkeep.doctor.cures import cure_of
from lambent.upkeep.doctor.disk import check_code_space, check_data_dir, examine_disk
from lambent.upkeep.doctor.host import HostFacts
from lambent.upkeep.doctor.limits import examine_limits
from lambent.upkeep.doctor.policies import examine_policies
from lambent.upkeep.doctor.privileges import examine_privileges
from lambent.upkeep.doctor.runtimes import check_runtimes
from lambent.upkeep.doctor.steps import Step
from lambent.upkeep.doctor.system import examine_system
from lambent.upkeep.doctor.systemd import examine_systemd
from lambent.upkeep.doctor.trial import try_box
from lambent.upkeep.doctor.verdict import DoctorReport

Try = Callable[[SandboxSettings, str, Path], list[Step]]


def examine(settings: Settings, host: HostFacts | None = None, try_: Try = try_box) -> DoctorReport:
    """Look at everything `lambent up` would use with these settings, and try it."""
    host = host or HostFacts()
    data_dir, code = settings.server.data_dir, settings.server.data_dir / "code"
    tier, isolation = examine_isolation(settings.sandbox, detect())
    cache = Path(settings.worker.runtimes_dir or weak_tier.cache(settings, tier or ""))
    is_closed = closed_to_others if weak_tier.has_own_users(settings, tier or "") else _open
    checks = [
        *_in("system", examine_system(host)),
        *_in("system", examine_systemd(host)),
        *_in("rights", examine_privileges(host)),
        *_in("rights", examine_control_groups(host)),
        *_in("rights", examine_policies(host)),
        *_in("limits", examine_limits(host)),
        *_in("disk", [check_data_dir(data_dir), *examine_disk(host, data_dir)]),
        *_in("disk", [check_code_space(code, settings.worker.code_mb)]),
        *_in("clock", examine_clock(host)),
        *_in("runtimes", check_runtimes(find_interpreters(), cache, is_closed)),
        *_in("isolation", isolation),
        *_in("isolation", check_promises(tier, settings)),
    ]
    if tier is not None:
        checks += _in("trial", judge_trial(host, try_(settings.sandbox, tier, data_dir)))
    return DoctorReport(tier=tier, checks=tuple(checks))


def examine_isolation(
    settings: SandboxSettings, isolation: Isolation
) -> tuple[str | None, list[Check]]:
    """The tier the platform would use, and what stronger ones need."""
    fix = "; ".join(finding.fix for finding in isolation.findings if finding.fix)
    try:
        tier = choose(settings.isolation, isolation)
    except SandboxError as error:
        tier = None
        checks = [Check(name="isolation", state="broken", found=str(error), fix=fix)]
    else:
        checks = [Check(name="isolation", found=f"tier {tier}")]
    for finding in isolation.findings:
        state: State = "ok" if finding.is_there else "missing"
        checks.append(Check(name=finding.name, state=state, found=finding.found, fix=finding.fix))
    return tier, checks


def check_promises(tier: str | None, settings: Settings) -> Iterator[Check]:
    """What was asked for and the weakest tier cannot keep: `lambent up` refuses to start then."""
    if tier == "process" and (wishes := weak_tier.unkept(settings)):
        yield Check(
            name="promises", state="broken",
            found=f"the tier 'process' cannot keep {', nor '.join(wishes)}",
            fix="a host where namespaces are allowed, or sandbox.allow_weak = true",
        )  # fmt: skip


def judge_trial(host: HostFacts, steps: Iterable[Step]) -> Iterator[Check]:
    """What was tried, as checks: whatever went wrong there goes wrong for functions."""
    for step in steps:
        name = f"try: {step.name}"
        if step.error:
            fix = cure_of(host, step.name, step.error)
            yield Check(name=name, state="broken", found=step.error, fix=fix, ms=step.ms)
        else:
            yield Check(name=name, found=step.found, ms=step.ms)


def _open(path: Path) -> Path | None:
    return None


def _in(section: str, checks: Iterable[Check]) -> list[Check]:
    return [dataclasses.replace(check, section=section) for check in checks]
